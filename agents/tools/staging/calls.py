"""A call in a draft: recorded as a change instead of made, and answered with a preview."""

from functools import partial

from agents.excerpts import excerpt
from agents.tools.registry import ToolCall
from config.values.json_types import JsonObject
from orchestration.runs.draft_effects import StagedEffect, stage_change

PREVIEW = "This is a draft: nothing has happened yet. The change is listed at GET /api/v1/runs/{run}/changes."


async def stage_call(call: ToolCall) -> JsonObject:
    """{preview: true, proposed: {…}, change_id, message, …}: what the call would do."""
    run, staging = call.run, call.tool.staging
    effect = await staging.stage(call) if staging else effect_of_request(call)
    change = await call.database(
        partial(stage_change, run, call.step, call.tool.id, call.agent_id, call.input, effect, _reason(call))
    )
    summary = {"change_id": str(change.pk), "tool_id": change.tool_id, "kind": change.kind, "target": change.target}
    event = summary | {"before": excerpt(change.before), "after": excerpt(change.after)}
    call.ctx.emit("effect_staged", event, call.step)
    return {
        "preview": True,
        "proposed": summary | {"before": change.before, "after": change.after},
        "change_id": str(change.pk),
        "message": PREVIEW.format(run=run.id),
    } | effect.answer


def effect_of_request(call: ToolCall) -> StagedEffect:
    """The effect of a call whose target cannot be read beforehand: it is shown as it would be sent."""
    config, arguments = call.tool.handler_config, call.input
    target = config.get("url") or arguments.get("url") or call.tool.id
    method = config.get("method") or arguments.get("method") or ""
    kind = "http" if call.tool.handler_type == "builtin" else call.tool.handler_type
    return StagedEffect(kind, f"{method} {target}".strip(), None, arguments)


def _reason(call: ToolCall) -> str:
    caller = f"the agent {call.agent_id}" if call.agent_id else "the workflow"
    return f"{call.tool.name}, called by {caller} in step {call.step}."
