"""How a program asks a person: the question is recorded, the run is paused, the answer is taken once.

A question about a call is bound to it: its step's name holds the digest of exactly that call (RULINGS §7).
"""

import asyncio
import hashlib
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from config.values.foreign_json import write_json
from orchestration.program.json_fragments import fragment, recordable
from orchestration.program.run_info import StepRecord
from orchestration.program.waits import Wait, clocks_stopped, now

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

GATE, IN_DOUBT = "gate", "in_doubt"


class Rejected(BaseException):
    """A person said no, or (no comment then) the time to say yes is over. No program catches it."""

    def __init__(self, reason: str, verdict: dict[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.verdict = verdict


@dataclass(frozen=True)
class Question:
    """What a person is asked. `kind` is gate, run_start, agent_call, tool_call or in_doubt; `arguments` those of the
    call; `about` what else is told of it.
    """

    node_id: str
    message: str = ""
    role: str = "developer"
    expires_s: float | None = None
    kind: str = GATE
    tool_id: str = ""
    arguments: dict[str, Any] | None = None
    digest: str = ""
    policy_id: str | None = None
    four_eyes: bool = False
    about: dict[str, Any] = field(default_factory=dict)


def call_digest(run_id: UUID, tool_id: str, arguments: Any, rule: str = "") -> str:
    """SHA-256 of a call: the same tool with the same arguments in the same run, under the same version of a policy.

    Arguments are canonical: sorted keys, no blanks (RFC 8785 for what JSON of ours can hold).
    """
    parts = {"run": str(run_id), "tool": tool_id, "arguments": arguments, "rule": rule}
    return hashlib.sha256(write_json(parts, sort_keys=True, default=str)).hexdigest()


async def answer_to(ctx: "RunContext", name: str, question: Question) -> dict[str, Any]:
    """{approved: True, comment, decided_by, approval_id, arguments?}; the run is paused until then.

    Raises Rejected after a no, and when nobody answers in time.
    """
    before = ctx.run.steps.get(name)
    if before and before.status == "completed":
        return dict(before.output)
    row = ctx.row(name, before, question.node_id, "approval", None)
    asked = ctx.run.inbox.approvals.get(name)
    if asked is None:
        asked = {"approved": None, "expires_at": await _ask(ctx, name, question, row)}
    if asked["approved"] is None:
        asked = await _wait(ctx, name, asked)
    told = {
        "approved": asked["approved"],
        "comment": asked["comment"],
        "decided_by": asked["decided_by"],
        "approval_id": asked["id"],
    } | ({"arguments": asked["edited"]} if asked["edited"] is not None else {})
    if not asked["told"]:  # decided while we held the run, so that nobody else could append to its events
        ctx.emit("approval_decided", told | {"step_id": name}, name)
        ctx.pen.entry().add("approval_events", step=name)
    if not asked["approved"]:
        raise Rejected("A person said no.", told)
    await ctx.record(row, None, time.perf_counter(), recordable(told), wait=True)
    ctx.run.steps[name] = StepRecord("completed", told)
    return told


async def _ask(ctx: "RunContext", name: str, question: Question, row: dict[str, Any]) -> Any:
    """Put the question on record, with its event; when it expires."""
    until = now() + timedelta(seconds=question.expires_s) if question.expires_s else None
    ctx.pen.entry().add(
        "approvals",
        step=name,
        node_id=question.node_id,
        message=question.message,
        role=question.role,
        expires_at=until.timestamp() if until else None,
        kind=question.kind,
        tool_id=question.tool_id,
        arguments=None if question.arguments is None else fragment(question.arguments),
        digest=question.digest,
        policy_id=question.policy_id,
        four_eyes=question.four_eyes,
    )
    told: dict[str, Any] = {
        "node_id": question.node_id,
        "message": question.message,
        "role": question.role,
        "step_id": name,
        "kind": question.kind,
        "expires_at": until.isoformat() if until else None,
    }
    if question.tool_id:
        told |= {"tool_id": question.tool_id, "arguments": question.arguments, "digest": question.digest}
    ctx.emit("approval_requested", told | question.about, name)
    await ctx.write_wait(row, until)
    return until


async def _wait(ctx: "RunContext", name: str, asked: dict[str, Any]) -> dict[str, Any]:
    """The decision, once it is there."""
    expires = asked["expires_at"]
    if expires is None or expires > now():
        wait = Wait(name, "approval", expires, asyncio.get_running_loop().create_future())
        with suppress(TimeoutError), clocks_stopped():
            return dict(await ctx.branches.park(wait))
    raise Rejected("Nobody decided in time.")
