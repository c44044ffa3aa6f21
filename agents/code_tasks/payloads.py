"""A task as seed 003 has it, read from its run, its events and its steps."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from agents.code_tasks.program import KIND, PREFIX, REPORT
from agents.llm.function_calls import parse_arguments
from config.errors import Invalid
from config.http.fields import iso
from config.values.foreign_json import write_json
from config.values.json_types import Json, JsonObject
from orchestration.models import FINAL, NEWEST_FIRST, Run, RunEvent, Status, Step

STATES = ("pending", "running", "completed", "failed", "cancelled")
EVENT_KINDS = ("run_started", "tool_started", "tool_call", "run_completed", "run_failed", "run_cancelled")
STARTED, COMPLETED, CANCELLED = "Iniciando execução...", "Task finalizada com sucesso", "Task cancelada pelo usuário"
MAX_RESULT_LENGTH = 2_000  # characters of an action's result in a list; the task by itself has it whole
STEP_FIELDS = ("run_id", "name", "node_id", "input", "output", "error", "started_at", "finished_at")
Row = JsonObject  # of QuerySet.values()


def state(run: Run) -> str:
    """The contract's word for the task's status; one that is being cancelled is cancelled."""
    if run.status in FINAL:
        return str(run.status)
    if run.cancel_requested:
        return "cancelled"
    return "pending" if run.status == Status.PENDING else "running"


def in_state(word: str) -> Q:
    """The condition for tasks of which `state` returns this word."""
    cancelling = Q(cancel_requested=True) & ~Q(status__in=FINAL)
    if word == "cancelled":
        return Q(status=Status.CANCELLED) | cancelling
    statuses = [Status.RUNNING, Status.PAUSED] if word == "running" else [word]
    return Q(status__in=statuses) & ~cancelling


def count_states(rows: QuerySet[Run]) -> dict[str, int]:
    """{total, pending, running, completed, failed, cancelled} of these runs."""
    number = {word: Count("pk", filter=in_state(word)) for word in STATES}
    return rows.order_by().aggregate(total=Count("pk"), **number)


def tasks_of(tenant_id: str) -> QuerySet[Run]:
    """The runs of the tenant's tasks, the newest first."""
    return Run.objects.for_tenant(tenant_id).filter(kind=KIND).order_by(*NEWEST_FIRST)


def task_json(run: Run) -> JsonObject:
    """The task with all that its actions returned."""
    return tasks_json([run])[0]


def tasks_json(runs: list[Run], max_result_length: int | None = None) -> list[JsonObject]:
    """The tasks, in two queries for them all; of an action's result so many characters."""
    events = _events_by_run([run.id for run in runs])
    steps = _steps_by_run([run.id for run in runs if state(run) in FINAL])
    return [_task(run, events[run.id], steps[run.id], max_result_length) for run in runs]


def new_task_json(run: Run) -> JsonObject:
    """The task as the answer to its start shows it, also in a replay of that answer."""
    return _task(Run(id=run.id, input=run.input, created_at=run.created_at, updated_at=run.created_at), [], [], None)


def _events_by_run(run_ids: list[UUID]) -> dict[UUID, list[Row]]:
    events: dict[UUID, list[Row]] = defaultdict(list)
    rows = RunEvent.all_tenants.filter(run_id__in=run_ids, kind__in=EVENT_KINDS).order_by("run_id", "seq")
    for event in rows.values("run_id", "kind", "payload", "ts"):
        events[event["run_id"]].append(dict(event))
    return events


def _steps_by_run(run_ids: list[UUID]) -> dict[UUID, list[Row]]:
    """The tool calls and the report of each run."""
    steps: dict[UUID, list[Row]] = defaultdict(list)
    condition = Q(type="tool", name__startswith=f"{PREFIX}/") | Q(name=REPORT)
    rows = Step.all_tenants.filter(condition, run_id__in=run_ids).order_by("run_id", "position")
    for step in rows.values(*STEP_FIELDS):
        steps[step["run_id"]].append(dict(step))
    return steps


def _task(run: Run, events: list[Row], steps: list[Row], max_result_length: int | None) -> JsonObject:
    logs = [_line(run.created_at, f"Task criada: {run.input['objective']}"), *_logs(events)]
    if state(run) == "cancelled" and run.status not in FINAL:
        logs.append(_line(datetime.now(UTC), CANCELLED))
    return {
        "id": str(run.id),
        "objective": run.input["objective"],
        "context": run.input.get("context"),
        "state": state(run),
        "created_at": iso(run.created_at),
        "updated_at": iso(max([run.updated_at, *(event["ts"] for event in events)])),
        "logs": logs,
        "steps": [
            {"timestamp": iso(event["ts"]), "description": _description(event["payload"])}
            for event in events
            if event["kind"] == "tool_started"
        ],
        "result": _result(run, steps, max_result_length) if state(run) in FINAL else None,
    }


def _line(at: datetime, message: str) -> JsonObject:
    return {"timestamp": iso(at), "message": message}


def _description(payload: JsonObject) -> str:
    argument = payload.get("argument")
    return f"{payload['tool_id']}: {argument}" if argument else payload["tool_id"]


def _logs(events: Iterable[Row]) -> Iterable[JsonObject]:
    for event in events:
        kind, payload = event["kind"], event["payload"]
        if kind == "tool_started":
            message = f"Executando {_description(payload)}"
        elif kind == "tool_call":
            if "error" not in payload:
                continue
            message = f"Falha em {payload['tool_id']}: {payload['error']}"
        elif kind == "run_failed":
            message = f"Task finalizada com falha: {payload.get('error', '')}"
        else:
            message = {"run_started": STARTED, "run_completed": COMPLETED, "run_cancelled": CANCELLED}[kind]
        yield _line(event["ts"], message)


def _result(run: Run, steps: list[Row], max_result_length: int | None) -> JsonObject:
    """TaskResult; `diff`, `files` and `notes` are the report's (report.py)."""
    result = run.result if isinstance(run.result, dict) else {}
    success = run.status == Status.COMPLETED
    report: JsonObject = next((step["output"] for step in steps if step["name"] == REPORT and step["output"]), {})
    error = None if success else result.get("error") or (CANCELLED if state(run) == "cancelled" else "It failed.")
    return {
        "success": success,
        "output": str(result.get("output") or "") if success else report.get("said", ""),
        "error": error,
        "actions_taken": [_action(step, max_result_length) for step in steps if step["name"] != REPORT],
        "diff": report.get("diff"),
        "files": report.get("files", []),
        "notes": report.get("notes", []),
    }


def _params(input: Json) -> JsonObject:
    """The arguments of the call; {} for a text that could not be read as such."""
    if not isinstance(input, str):
        return input or {}
    try:
        return parse_arguments(input)
    except Invalid:
        return {}


def _action(step: Row, max_result_length: int | None) -> JsonObject:
    """A tool call as the contract has it: its result is a text, anything else as JSON."""
    failed = step["error"] is not None
    output = f"Error: {step['error']['error']}" if failed else step["output"]
    text = output if isinstance(output, str) else write_json(output).decode()
    duration_ms = step["finished_at"] and round((step["finished_at"] - step["started_at"]).total_seconds() * 1000)
    return {
        "tool": step["node_id"],
        "params": _params(step["input"]),
        "result": text if max_result_length is None else text[:max_result_length],
        "success": not failed,
        "duration_ms": duration_ms,
    }
