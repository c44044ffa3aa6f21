"""The program "apply": applies changes of a draft run, one step for each.

It is a run of its own, so that it survives a crash in its middle: the call of each change goes out under the key that
the draft's step had, so that it lands once.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from agents.drafts.change_selection import workflow_context
from agents.errors import ToolExecutionError
from agents.loop.tool_calls import TOOL_RETRY, call_tool, json_output
from agents.tools.faults import tool_errors
from agents.tools.lookup import find_tool
from agents.tools.registry import ToolCall, ToolSpec
from config.values.json_types import Json, JsonObject
from orchestration.models import Change, ChangeStatus, Mode, Run
from orchestration.program.registry import program
from orchestration.program.retry import ONCE, StepFailed
from orchestration.runs.draft_effects import AppliedChange, record_applied, restage

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

KIND = "apply"


@dataclass(frozen=True)
class DraftCall:
    """A change with the run that has staged it and the tool that it calls."""

    change: Change
    draft: Run
    tool: ToolSpec

    @property
    def step(self) -> str:
        """The name of the apply's step."""
        return f"apply {self.change.position}"


@program(KIND, internal=True)
async def run_apply(ctx: "RunContext") -> JsonObject:
    """{applied: the ids of the changes}; the first that fails stops it, and the rest stays staged."""
    ids, tenant_id = ctx.run.input["change_ids"], ctx.run.tenant_id
    for change_id in ids:
        draft_call = await ctx.database(partial(_load, tenant_id, UUID(change_id)))
        tool = draft_call.tool
        retry = TOOL_RETRY if tool.idempotent else ONCE
        try:
            await ctx.step(draft_call.step, _apply, ctx, draft_call, node_id=tool.id, type="tool", retry=retry)
        except StepFailed as failure:
            await ctx.database(partial(restage, tenant_id, ctx.run.id, failure.error))
            raise
    return {"applied": ids}


def _load(tenant_id: str, change_id: UUID) -> DraftCall:
    change = Change.objects.for_tenant(tenant_id).select_related("run").get(pk=change_id)
    return DraftCall(change, change.run, find_tool(tenant_id, change.tool_id))


async def _apply(ctx: "RunContext", draft_call: DraftCall) -> Json:
    """The tool's answer. The call is the draft's own, under its key; the policies are those of the mode auto."""
    change = draft_call.change
    if change.status == ChangeStatus.APPLIED:  # before a crash
        return change.outcome
    mode = Mode.AUTO.value
    call = ToolCall(ctx, draft_call.tool, change.arguments, draft_call.step, mode, ctx.run, change.agent_id)
    return await call_tool(call, "apply", partial(_perform, draft_call), **workflow_context(draft_call.draft))


async def _perform(draft_call: DraftCall, call: ToolCall) -> Json:
    """The call's answer, recorded with the change and the arguments of the call, which an approver may have edited."""
    output = await _call_tool(draft_call, call)
    change = draft_call.change
    result = AppliedChange(change.pk, change.tenant_id, draft_call.draft.pk, call.input, output, call.run.created_by)
    await call.ctx.database(partial(record_applied, result))
    return output


async def _call_tool(draft_call: DraftCall, call: ToolCall) -> Json:
    staging, change = call.tool.staging, draft_call.change
    own = replace(call, run=draft_call.draft, step=change.step)  # type: ignore[arg-type]
    if not (staging and staging.apply):
        with tool_errors(own):
            return json_output(await own.tool.handler(own))
    if call.input != change.arguments:
        raise ToolExecutionError(
            "This change is applied as it was reviewed: its arguments cannot be edited. Discard it."
        )
    with tool_errors(own):
        return await staging.apply(own, change)
