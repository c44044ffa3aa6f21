"""A call in a draft: instead of acting it is put on record as a change, and answered with a preview."""

from functools import partial
from typing import Any

from agents.excerpts import excerpt
from agents.tools.registry import ToolCall
from orchestration.runs.draft_effects import StagedEffect, stage_change

PREVIEW = "This is a draft: nothing has happened yet. The change is listed at GET /api/v1/runs/{run}/changes."


async def stage_call(call: ToolCall) -> dict[str, Any]:
    """{preview: true, proposed: {…}, change_id, …}: what the call would do."""
    run, staging = call.run, call.tool.staging
    staged = await staging.stage(call) if staging else plain(call)
    change = await call.database(
        partial(stage_change, run, call.step, call.tool.id, call.agent_id, call.input, staged, _reason(call))
    )
    told = {"change_id": str(change.pk), "tool_id": change.tool_id, "kind": change.kind, "target": change.target}
    call.ctx.emit("effect_staged", told | {"before": excerpt(change.before), "after": excerpt(change.after)}, call.step)
    proposed = told | {"before": change.before, "after": change.after}
    return {
        "preview": True,
        "proposed": proposed,
        "change_id": str(change.pk),
        "message": PREVIEW.format(run=run.id),
    } | staged.answer


def plain(call: ToolCall) -> StagedEffect:
    """A call of which nobody knows what is there before: it is shown as it would be sent."""
    config, given = call.tool.handler_config, call.input
    target = config.get("url") or given.get("url") or call.tool.id
    method = config.get("method") or given.get("method") or ""
    kind = "http" if call.tool.handler_type == "builtin" else call.tool.handler_type
    return StagedEffect(kind, f"{method} {target}".strip(), None, given)


def _reason(call: ToolCall) -> str:
    who = f"the agent {call.agent_id}" if call.agent_id else "the workflow"
    return f"{call.tool.name}, called by {who} in step {call.step}."
