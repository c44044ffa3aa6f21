"""The log of a task, and the lines of its steps: read from the events of its run."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from agents.code_tasks.states import task_state
from config.values.json_types import JsonObject
from orchestration.models import FINAL, Run

EVENT_KINDS = ("run_started", "tool_started", "tool_call", "run_completed", "run_failed", "run_cancelled")
STARTED, COMPLETED, CANCELLED = "Iniciando execução...", "Task finalizada com sucesso", "Task cancelada pelo usuário"


class LogEntry(NamedTuple):
    """A message of the log."""

    timestamp: datetime
    message: str


class ActionStart(NamedTuple):
    """The start of a tool call, in one line."""

    timestamp: datetime
    description: str


def log_of(run: Run, events: Iterable[JsonObject]) -> list[LogEntry]:
    """The log, the oldest entry first; `events` are {kind, payload, ts} of EVENT_KINDS."""
    entries = [LogEntry(run.created_at, f"Task criada: {run.input['objective']}"), *_entries(events)]
    if task_state(run) == "cancelled" and run.status not in FINAL:
        entries.append(LogEntry(datetime.now(UTC), CANCELLED))
    return entries


def action_starts(events: Iterable[JsonObject]) -> list[ActionStart]:
    """The starts of the tool calls, in their order."""
    starts = [event for event in events if event["kind"] == "tool_started"]
    return [ActionStart(event["ts"], _description(event["payload"])) for event in starts]


def _description(payload: JsonObject) -> str:
    argument = payload.get("argument")
    return f"{payload['tool_id']}: {argument}" if argument else payload["tool_id"]


def _entries(events: Iterable[JsonObject]) -> Iterable[LogEntry]:
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
        yield LogEntry(event["ts"], message)
