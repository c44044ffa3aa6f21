"""A task as seed 003 writes it, read from its run, its events and its steps."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from agents.code_tasks.program import KIND, PREFIX, REPORT
from agents.llm.function_calls import parse_arguments
from config.errors import Invalid
from config.http.fields import iso
from config.values.foreign_json import write_json
from orchestration.models import FINAL, NEWEST_FIRST, Run, RunEvent, Status, Step

STATES = ("pending", "running", "completed", "failed", "cancelled")
TOLD = ("run_started", "tool_started", "tool_call", "run_completed", "run_failed", "run_cancelled")
BEGUN, ENDED = "Iniciando execução...", "Task finalizada com sucesso"
CANCELLED = "Task cancelada pelo usuário"
MAX_ENTRIES = 2_000  # characters of an action's result in a list; the task by itself has it whole


def state(run: Run) -> str:
    """The contract's word for how the task stands; what is being cancelled is cancelled."""
    if run.status in FINAL:
        return str(run.status)
    if run.cancel_requested:
        return "cancelled"
    return "pending" if run.status == Status.PENDING else "running"


def in_state(word: str) -> Q:
    """The condition for tasks of which the contract says this."""
    ending = Q(cancel_requested=True) & ~Q(status__in=FINAL)
    if word == "cancelled":
        return Q(status=Status.CANCELLED) | ending
    statuses = [Status.RUNNING, Status.PAUSED] if word == "running" else [word]
    return Q(status__in=statuses) & ~ending


def counts(rows: QuerySet[Run]) -> dict[str, int]:
    """{total, pending, running, completed, failed, cancelled} of these runs."""
    number = {word: Count("pk", filter=in_state(word)) for word in STATES}
    return rows.order_by().aggregate(total=Count("pk"), **number)


def tasks_of(tenant_id: str) -> QuerySet[Run]:
    """The tenant's tasks, newest first."""
    return Run.objects.for_tenant(tenant_id).filter(kind=KIND).order_by(*NEWEST_FIRST)


def told(runs: list[Run], most: int | None = None) -> list[dict[str, Any]]:
    """The tasks whole, in two queries for them all. `most`: characters of an action's result."""
    ids = [run.id for run in runs]
    events: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    rows = RunEvent.all_tenants.filter(run_id__in=ids, kind__in=TOLD).order_by("run_id", "seq")
    for event in rows.values("run_id", "kind", "payload", "ts"):
        events[event["run_id"]].append(dict(event))
    steps: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    wanted = Q(type="tool", name__startswith=f"{PREFIX}/") | Q(name=REPORT)
    over = [run.id for run in runs if state(run) in FINAL]
    found = Step.all_tenants.filter(wanted, run_id__in=over).order_by("run_id", "position")
    for step in found.values(
        "run_id", "name", "node_id", "input", "output", "error", "status", "started_at", "finished_at"
    ):
        steps[step["run_id"]].append(dict(step))
    return [_task(run, events[run.id], steps[run.id], most) for run in runs]


def new(run: Run) -> dict[str, Any]:
    """The task as the answer to its start shows it, also in a replay of that answer."""
    return _task(Run(id=run.id, input=run.input, created_at=run.created_at, updated_at=run.created_at), [], [], None)


def _task(run: Run, events: list[dict[str, Any]], steps: list[dict[str, Any]], most: int | None) -> dict[str, Any]:
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
        "result": _result(run, steps, most) if state(run) in FINAL else None,
    }


def _line(at: datetime, message: str) -> dict[str, Any]:
    return {"timestamp": iso(at), "message": message}


def _description(payload: dict[str, Any]) -> str:
    argument = payload.get("argument")
    return f"{payload['tool_id']}: {argument}" if argument else payload["tool_id"]


def _logs(events: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
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
            message = {"run_started": BEGUN, "run_completed": ENDED, "run_cancelled": CANCELLED}[kind]
        yield _line(event["ts"], message)


def _result(run: Run, steps: list[dict[str, Any]], most: int | None) -> dict[str, Any]:
    """TaskResult; `diff`, `files` and `notes` say what the workspace has become."""
    result = run.result if isinstance(run.result, dict) else {}
    done = run.status == Status.COMPLETED
    report: dict[str, Any] = next((step["output"] for step in steps if step["name"] == REPORT and step["output"]), {})
    error = None if done else result.get("error") or (CANCELLED if state(run) == "cancelled" else "It failed.")
    return {
        "success": done,
        "output": str(result.get("output") or "") if done else report.get("said", ""),
        "error": error,
        "actions_taken": [_action(step, most) for step in steps if step["name"] != REPORT],
        "diff": report.get("diff"),
        "files": report.get("files", []),
        "notes": report.get("notes", []),
    }


def _params(input: Any) -> dict[str, Any]:
    """The arguments that the tool got; {} for a text that could not be read as such."""
    if not isinstance(input, str):
        return input or {}
    try:
        return parse_arguments(input)
    except Invalid:
        return {}


def _action(step: dict[str, Any], most: int | None) -> dict[str, Any]:
    """A tool call as the contract writes it: its result is a text, anything else as JSON."""
    failed = step["error"] is not None
    output = f"Error: {step['error']['error']}" if failed else step["output"]
    text = output if isinstance(output, str) else write_json(output).decode()
    took = step["finished_at"] and round((step["finished_at"] - step["started_at"]).total_seconds() * 1000)
    return {
        "tool": step["node_id"],
        "params": _params(step["input"]),
        "result": text if most is None else text[:most],
        "success": not failed,
        "duration_ms": took,
    }
