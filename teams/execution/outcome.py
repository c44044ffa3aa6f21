"""The events of an agent's work, and the {summary, details} of one output or of several."""

from collections.abc import Mapping

from agents.llm.answer_text import answer_text
from config.values.json_types import Json, JsonObject

Outputs = Mapping[str, Mapping[str, Json]]  # by the agent's id
EVENT_KINDS = {phase: f"agent_{phase}" for phase in ("started", "completed", "failed", "skipped")}
MAX_DETAILS = 32_000  # characters of an answer that its event repeats; the agent's run has it whole
MAX_SUMMARY_LENGTH = 280


def agent_event(agent_id: str, step: int, phase: str, child: Mapping[str, Json]) -> tuple[str, JsonObject]:
    """(kind, payload) of an agent's event; `child` is its run, {error, error_type} of one that never began, or {}."""
    payload: JsonObject = {"agent_id": agent_id, "step_order": step}
    if child.get("id"):
        payload["agent_run_id"] = str(child["id"])
    start, end = child.get("started_at"), child.get("finished_at")
    if start and end:
        payload["execution_time"] = round((end - start).total_seconds(), 3)
    if phase == "completed":
        output = child.get("result")
        payload["result"] = _limit_details(final_result(output if isinstance(output, dict) else {"result": output}))
    elif phase == "failed":
        payload |= {"error": child.get("error", ""), "error_type": child.get("error_type", "")}
    return EVENT_KINDS[phase], payload


def final_result(output: Mapping[str, Json]) -> JsonObject:
    """{summary, details} of one output; an answer that is a JSON object may bring its own summary."""
    text = output.get("result")
    details = text if isinstance(text, str) else str(text or "")
    summary = (output.get("data") or {}).get("summary")
    return {"summary": summary if isinstance(summary, str) and summary else summary_of(details), "details": details}


def _limit_details(result: JsonObject) -> JsonObject:
    if len(result["details"]) <= MAX_DETAILS:
        return result
    return result | {"details": result["details"][:MAX_DETAILS], "truncated": True}


def joint_result(outputs: Outputs) -> JsonObject:
    """{summary, details} of several outputs."""
    lines = [f"{agent_id}: {final_result(output)['summary']}" for agent_id, output in outputs.items()]
    return {"summary": "\n".join(lines), "details": joint_text(outputs)}


def joint_text(outputs: Outputs) -> str:
    """The outputs, each under its agent's id."""
    return "\n\n".join(f"## {agent_id}\n{output.get('result') or ''}" for agent_id, output in outputs.items())


def summary_of(text: str) -> str:
    """The answer's first paragraph, at most MAX_SUMMARY_LENGTH characters of it."""
    first = answer_text(text).split("\n\n", 1)[0]
    return first if len(first) <= MAX_SUMMARY_LENGTH else f"{first[: MAX_SUMMARY_LENGTH - 1].rstrip()}…"
