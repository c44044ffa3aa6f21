"""What became of an agent's work, as events tell it, and what became of the team's, as its final_result does."""

from collections.abc import Mapping
from typing import Any

from agents.llm.answer_text import answer_text

KINDS = {phase: f"agent_{phase}" for phase in ("started", "completed", "failed", "skipped")}
MAX_DETAILS = 32_000  # characters of an answer that its event repeats; the agent's run has it whole
MAX_SUMMARY_LENGTH = 280


def event(agent_id: str, step: int, phase: str, child: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """(kind, payload) of the event that tells of an agent; `child` is its run, or {error, error_type} without one."""
    told: dict[str, Any] = {"agent_id": agent_id, "step_order": step}
    if child.get("id"):
        told["agent_run_id"] = str(child["id"])
    began, ended = child.get("started_at"), child.get("finished_at")
    if began and ended:
        told["execution_time"] = round((ended - began).total_seconds(), 3)
    if phase == "completed":
        output = child.get("result")
        told["result"] = _cut(final(output if isinstance(output, dict) else {"result": output}))
    elif phase == "failed":
        told |= {"error": child.get("error", ""), "error_type": child.get("error_type", "")}
    return KINDS[phase], told


def final(output: Mapping[str, Any]) -> dict[str, Any]:
    """{summary, details} of one output; an answer that is a JSON object may bring its own."""
    text = output.get("result")
    details = text if isinstance(text, str) else str(text or "")
    own = (output.get("data") or {}).get("summary")
    return {"summary": own if isinstance(own, str) and own else shortened(details), "details": details}


def _cut(told: dict[str, Any]) -> dict[str, Any]:
    if len(told["details"]) <= MAX_DETAILS:
        return told
    return told | {"details": told["details"][:MAX_DETAILS], "truncated": True}


def together(results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """{summary, details} of several outputs."""
    lines = [f"{agent_id}: {final(output)['summary']}" for agent_id, output in results.items()]
    return {"summary": "\n".join(lines), "details": told_together(results)}


def told_together(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The outputs, one under the other, each under its agent's id."""
    return "\n\n".join(f"## {agent_id}\n{output.get('result') or ''}" for agent_id, output in results.items())


def shortened(text: str) -> str:
    """The answer's first paragraph, of which no more than some lines."""
    first = answer_text(text).split("\n\n", 1)[0]
    return first if len(first) <= MAX_SUMMARY_LENGTH else f"{first[: MAX_SUMMARY_LENGTH - 1].rstrip()}…"
