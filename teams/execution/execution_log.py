"""The log of an execution (seed 001), written from its events."""

from collections.abc import Iterable, Iterator

from config.values.json_types import JsonObject
from teams.execution.state import CANCELLED, State

LEVELS = ("info", "warning", "error")
ENDS = {
    "run_completed": ("info", "Execution completed successfully"),
    "run_failed": ("error", "Execution failed"),
    "run_cancelled": ("warning", CANCELLED),
}
AGENT_MESSAGES = {
    "agent_started": "Agent execution started",
    "agent_completed": "Agent execution completed successfully",
    "agent_skipped": "Agent execution skipped: its conditions do not hold",
}


def entries(state: State, events: Iterable[JsonObject]) -> list[JsonObject]:
    """Rows of LogEntrySerializer of these events, in their order; `state` is the one before the first of them."""
    return [entry for event in events for entry in _entries_of(state, event)]


def _entries_of(state: State, event: JsonObject) -> Iterator[JsonObject]:
    running = state.running_steps()
    state.fold(event)
    kind = event["kind"]
    if kind.startswith("agent_"):
        yield _agent_entry(event)
    elif kind == "run_started":
        yield _entry(event, "info", None, "Execution started", {})
    else:
        for step, agent_id in running:
            yield _entry(event, "warning", agent_id, "Agent execution cancelled", {"step_order": step})
        level, message = ENDS[kind]
        error = event["payload"].get("error")
        yield _entry(event, level, None, f"{message}: {error}" if error else message, {})


def _agent_entry(event: JsonObject) -> JsonObject:
    payload, kind = event["payload"], event["kind"]
    details: JsonObject = {"step_order": payload["step_order"]}
    if payload.get("agent_run_id"):
        details["suna_agent_run_id"] = payload["agent_run_id"]
    if "execution_time" in payload:
        details["execution_time"] = payload["execution_time"]
    if kind == "agent_failed":
        details["error_type"] = payload["error_type"]
        return _entry(event, "error", payload["agent_id"], f"Agent execution failed: {payload['error']}", details)
    return _entry(event, "info", payload["agent_id"], AGENT_MESSAGES[kind], details)


def _entry(event: JsonObject, level: str, agent_id: str | None, message: str, details: JsonObject) -> JsonObject:
    return {
        "timestamp": event["ts"],
        "level": level,
        "agent_id": agent_id,
        "message": message,
        "details": details,
    }
