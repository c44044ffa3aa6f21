"""The ledger of outside effects: intent, act, outcome, each on record before the next (RELIABILITY R1).

An idempotent tool may be called again under the same key, so its step is ledger enough. For any other an intent is
recorded first. When an engine dies between the intent and the outcome nobody knows whether the tool has acted: the run
is paused as in doubt, and a person decides whether it is called again. Of a tool that acts within its run alone (a
command in a task's workspace) the model is told instead, and decides.
"""

import itertools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from django.conf import settings

from agents.errors import ToolExecutionError
from agents.tools.registry import ToolCall
from config.errors import DomainError
from orchestration.program.approvals import IN_DOUBT, Question, call_digest
from orchestration.program.retry import Transient, describe

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

IN_DOUBT_TEXT = (
    "The worker ended while the tool {tool} was being called, so it is not known whether it has acted. Approve to call "
    "it again; reject to end the run."
)


BROKEN_OFF = "The worker ended while this was under way, and it was not done again: look at what has come of it first."


async def once(call: ToolCall, work: Callable[[], Awaitable[Any]]) -> Any:
    """What `work`, which makes the call, answers; a call whose outcome is unknown is made again only if a person says
    so.
    """
    if call.tool.idempotent or call.mode == "draft" or not call.tool.acts(call.input):
        return await work()
    ctx = call.ctx
    assert ctx
    digest = call_digest(ctx.run.id, call.tool.id, call.input)
    for number in itertools.count(1):
        if f"{call.step}#intent-{number}" not in ctx.run.steps:
            return await _act(ctx, call, work, number, digest)
        if f"{call.step}#outcome-{number}" not in ctx.run.steps:
            if call.tool.contained:
                raise ToolExecutionError(BROKEN_OFF)
            await ctx.approval(f"{call.step}#in-doubt-{number}", _doubt(call, digest))
    raise AssertionError("unreachable")


async def _act(ctx: "RunContext", call: ToolCall, work: Callable[[], Awaitable[Any]], number: int, digest: str) -> Any:
    """The intent on record, then the call; a fault that it answers is an outcome as well."""

    async def intent() -> dict[str, str]:
        return {"tool_id": call.tool.id, "digest": digest, "key": call.key}

    told: dict[str, Any] = {"node_id": call.tool.id, "silent": True}
    await ctx.step(f"{call.step}#intent-{number}", intent, type="intent", **told)
    try:
        return await work()
    except (DomainError, Transient) as fault:
        error, error_type = describe(fault)

        async def outcome() -> dict[str, str]:
            return {"error": error, "error_type": error_type, "digest": digest}

        await ctx.step(f"{call.step}#outcome-{number}", outcome, type="outcome", **told)
        raise


def _doubt(call: ToolCall, digest: str) -> Question:
    return Question(
        node_id=call.tool.id,
        message=IN_DOUBT_TEXT.format(tool=call.tool.id),
        expires_s=settings.APPROVAL_EXPIRES_S,
        kind=IN_DOUBT,
        tool_id=call.tool.id,
        arguments=call.input,
        digest=digest,
    )
