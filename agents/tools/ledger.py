"""The ledger of outside effects: intent, call, outcome, each on record before the next (RELIABILITY R1).

An idempotent tool may be called again under the same key, so its step is ledger enough. For any other an intent is
recorded first. When an engine dies between the intent and the outcome nobody knows whether the tool has acted: the run
is paused as in doubt, and a person decides whether it is called again. Of a tool that acts within its run alone (a
command in a task's workspace) the model gets an error instead, and decides.
"""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from django.conf import settings

from agents.errors import ToolExecutionError
from agents.tools.registry import ToolCall
from config.errors import DomainError
from orchestration.program.retry import Transient, describe
from orchestration.program.waits.approvals import IN_DOUBT, Question, call_digest

IN_DOUBT_TEXT = (
    "The worker ended while the tool {tool} was being called, so it is not known whether it has acted. Approve to call "
    "it again; reject to end the run."
)
INTERRUPTED_TEXT = (
    "The worker ended while this was under way, and it was not done again: look at what has come of it first."
)


@asynccontextmanager
async def once(call: ToolCall) -> AsyncIterator[None]:
    """The block makes the call: its intent is on record before it, a fault that the call ends with after it.

    A call whose outcome is unknown is made again only if a person approves; ToolExecutionError if it is contained.
    """
    if call.tool.idempotent or call.mode == "draft" or not call.tool.acts(call.input):
        yield
        return
    digest = call_digest(call.ctx.run.id, call.tool.id, call.input)
    number = await _attempt(call, digest)
    await _record(call, "intent", number, {"tool_id": call.tool.id, "digest": digest, "key": call.key})
    try:
        yield
    except (DomainError, Transient) as fault:
        error, error_type = describe(fault)
        await _record(call, "outcome", number, {"error": error, "error_type": error_type, "digest": digest})
        raise


async def _attempt(call: ToolCall, digest: str) -> int:
    """The number of the next attempt, from 1; a person has approved it if the outcome of the last one is unknown."""
    steps = call.ctx.run.steps
    for number in itertools.count(1):
        if f"{call.step}#intent-{number}" not in steps:
            return number
        if f"{call.step}#outcome-{number}" not in steps:
            if call.tool.is_contained:
                raise ToolExecutionError(INTERRUPTED_TEXT)
            await call.ctx.approval(f"{call.step}#in-doubt-{number}", _question(call, digest))
    raise AssertionError("unreachable")


async def _record(call: ToolCall, type: str, number: int, output: dict[str, str]) -> None:
    """Record a step of the ledger, which is read by nothing but the ledger."""

    async def entry() -> dict[str, str]:
        return output

    await call.ctx.step(f"{call.step}#{type}-{number}", entry, type=type, node_id=call.tool.id, silent=True)


def _question(call: ToolCall, digest: str) -> Question:
    return Question(
        node_id=call.tool.id,
        message=IN_DOUBT_TEXT.format(tool=call.tool.id),
        expires_s=settings.APPROVAL_EXPIRES_S,
        kind=IN_DOUBT,
        tool_id=call.tool.id,
        arguments=call.input,
        digest=digest,
    )
