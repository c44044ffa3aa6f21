"""Tasks as responses show them, read from their runs, the runs' events and steps."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from agents.code_tasks.program import PREFIX, REPORT
from agents.code_tasks.states import task_state
from agents.code_tasks.task_log import EVENT_KINDS, ActionStart, LogEntry, action_starts, log_of
from agents.code_tasks.task_result import TaskResult, result_of
from config.values.json_types import JsonObject
from orchestration.models import FINAL, Run, RunEvent, Step

MAX_RESULT_LENGTH = 2_000  # characters of an action's result in a list; the task by itself has it whole
STEP_FIELDS = ("run_id", "name", "node_id", "input", "output", "error", "started_at", "finished_at")


@dataclass(frozen=True)
class CodeTask:
    """A task; `result` is None before its end."""

    id: UUID
    objective: str
    context: JsonObject | None
    state: str
    created_at: datetime
    updated_at: datetime
    logs: list[LogEntry]
    steps: list[ActionStart]
    result: TaskResult | None


def read_task(run: Run) -> CodeTask:
    """The task with all that its actions returned."""
    return read_tasks([run])[0]


def read_tasks(runs: list[Run], max_result_length: int | None = None) -> list[CodeTask]:
    """The tasks, in two queries for them all; of an action's result so many characters."""
    events = _events_by_run([run.id for run in runs])
    steps = _steps_by_run([run.id for run in runs if task_state(run) in FINAL])
    return [_task(run, events[run.id], steps[run.id], max_result_length) for run in runs]


def new_task(run: Run) -> CodeTask:
    """The task as the response to its start shows it, also in a replay of that response."""
    return _task(Run(id=run.id, input=run.input, created_at=run.created_at, updated_at=run.created_at), [], [], None)


def _events_by_run(run_ids: list[UUID]) -> dict[UUID, list[JsonObject]]:
    rows = RunEvent.all_tenants.filter(run_id__in=run_ids, kind__in=EVENT_KINDS).order_by("run_id", "seq")
    return _by_run(rows.values("run_id", "kind", "payload", "ts"))


def _steps_by_run(run_ids: list[UUID]) -> dict[UUID, list[JsonObject]]:
    """The tool calls and the report of each run."""
    condition = Q(type="tool", name__startswith=f"{PREFIX}/") | Q(name=REPORT)
    rows = Step.all_tenants.filter(condition, run_id__in=run_ids).order_by("run_id", "position")
    return _by_run(rows.values(*STEP_FIELDS))


def _by_run(rows: Iterable[Mapping[str, Any]]) -> dict[UUID, list[JsonObject]]:
    groups: dict[UUID, list[JsonObject]] = defaultdict(list)
    for row in rows:
        groups[row["run_id"]].append(dict(row))
    return groups


def _task(run: Run, events: list[JsonObject], steps: list[JsonObject], max_result_length: int | None) -> CodeTask:
    state = task_state(run)
    return CodeTask(
        id=run.id,
        objective=run.input["objective"],
        context=run.input.get("context"),
        state=state,
        created_at=run.created_at,
        updated_at=max([run.updated_at, *(event["ts"] for event in events)]),
        logs=log_of(run, events),
        steps=action_starts(events),
        result=result_of(run, steps, max_result_length) if state in FINAL else None,
    )
