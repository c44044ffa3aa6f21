"""The log of an execution (seed 001), written from its events."""

from typing import Any

from orchestration.serializers.runs import stamp
from teams.execution.state import CANCELLED, State

LEVELS = ("info", "warning", "error")
ENDS = {
    "run_completed": ("info", "Execution completed successfully"),
    "run_failed": ("error", "Execution failed"),
    "run_cancelled": ("warning", CANCELLED),
}


def entries(state: State, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """ExecutionLogEntry rows of these events, in their order; `state` is folded along."""
    found: list[dict[str, Any]] = []
    for event in events:
        left = [(step, agent_id) for step, (agent_id, doing) in state.agents.items() if doing == "running"]
        state.fold(event)
        kind = event["kind"]
        if kind.startswith("agent_"):
            found.append(_of_agent(event))
            continue
        if kind == "run_started":
            found.append(_entry(event, "info", None, "Execution started", {}))
            continue
        for step, agent_id in left:
            found.append(_entry(event, "warning", agent_id, "Agent execution cancelled", {"step_order": step}))
        level, message = ENDS[kind]
        error = event["payload"].get("error")
        found.append(_entry(event, level, None, f"{message}: {error}" if error else message, {}))
    return found


def _of_agent(event: dict[str, Any]) -> dict[str, Any]:
    told, kind = event["payload"], event["kind"]
    details: dict[str, Any] = {"step_order": told["step_order"]}
    if told.get("agent_run_id"):
        details["suna_agent_run_id"] = told["agent_run_id"]
    if "execution_time" in told:
        details["execution_time"] = told["execution_time"]
    if kind == "agent_failed":
        details["error_type"] = told["error_type"]
        return _entry(event, "error", told["agent_id"], f"Agent execution failed: {told['error']}", details)
    words = {
        "agent_started": "Agent execution started",
        "agent_completed": "Agent execution completed successfully",
        "agent_skipped": "Agent execution skipped: its conditions do not hold",
    }
    return _entry(event, "info", told["agent_id"], words[kind], details)


def _entry(
    event: dict[str, Any], level: str, agent_id: str | None, message: str, details: dict[str, Any]
) -> dict[str, Any]:
    return {
        "timestamp": stamp(event["ts"]),
        "level": level,
        "agent_id": agent_id,
        "message": message,
        "details": details,
    }
