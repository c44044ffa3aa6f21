"""How a program has a person decide: the question is recorded, the run is paused, the decision is used once.

A question about a call is bound to it: its step's name holds the digest of exactly that call (RULINGS §7).
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from config.values.foreign_json import write_json
from config.values.json_types import JsonObject
from orchestration.program.branches import Wait, now
from orchestration.program.json_fragments import fragment
from orchestration.program.run_info import StepRecord
from orchestration.program.step_clocks import limits_suspended
from orchestration.program.steps import StepRow

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

GATE, IN_DOUBT = "gate", "in_doubt"


class Rejected(BaseException):
    """A person said no, or (then without a decision) nobody decided in time. No program catches it."""

    def __init__(self, reason: str, decision: JsonObject | None = None) -> None:
        super().__init__(reason)
        self.decision = decision


@dataclass(frozen=True)
class Question:
    """What a person is to decide. `kind` is gate, run_start, agent_call, tool_call or in_doubt; `arguments` those of
    the call; `context` what else its event says.
    """

    node_id: str
    message: str = ""
    role: str = "developer"
    expires_s: float | None = None
    kind: str = GATE
    tool_id: str = ""
    arguments: JsonObject | None = None
    digest: str = ""
    policy_id: str | None = None
    four_eyes: bool = False
    context: JsonObject = field(default_factory=dict)


def call_digest(run_id: UUID, tool_id: str, arguments: Any, rule: str = "") -> str:
    """SHA-256 of a call: the same tool with the same arguments in the same run, under the same version of a policy.

    Arguments are canonical: sorted keys, no blanks (RFC 8785 for what JSON of ours can hold).
    """
    parts = {"run": str(run_id), "tool": tool_id, "arguments": arguments, "rule": rule}
    return hashlib.sha256(write_json(parts, sort_keys=True, default=str)).hexdigest()


async def await_decision(ctx: "RunContext", name: str, question: Question) -> JsonObject:
    """{approved: True, comment, decided_by, approval_id, arguments?}; the run is paused until then.

    Raises Rejected after a no, and when nobody decides in time.
    """
    record = ctx.run.steps.get(name)
    if record and record.status == "completed":
        return dict(record.output)
    row = ctx.steps.begin(name, record, "approval", None, node_id=question.node_id)
    approval = ctx.run.inbox.approvals.get(name)
    if approval is None:
        approval = {"approved": None, "expires_at": await _write_question(ctx, row, question)}
    if approval["approved"] is None:
        approval = await _wait(ctx, name, approval["expires_at"])
    decision = {
        "approved": approval["approved"],
        "comment": approval["comment"],
        "decided_by": approval["decided_by"],
        "approval_id": approval["id"],
    } | ({"arguments": approval["edited"]} if approval["edited"] is not None else {})
    if not approval["is_recorded"]:  # decided while we held the run, so that nobody else could append to its events
        ctx.emit("approval_decided", decision | {"step_id": name}, name)
        ctx.writer.entry().add("approval_events", step=name)
    if not approval["approved"]:
        raise Rejected("A person said no.", decision)
    await ctx.steps.complete_wait(row, decision)
    ctx.run.steps[name] = StepRecord("completed", decision)
    return decision


async def _write_question(ctx: "RunContext", row: StepRow, question: Question) -> datetime | None:
    """Put the question on record, with its event; when it expires."""
    expires_at = now() + timedelta(seconds=question.expires_s) if question.expires_s else None
    ctx.writer.entry().add(
        "approvals",
        step=row.name,
        node_id=question.node_id,
        message=question.message,
        role=question.role,
        expires_at=expires_at.timestamp() if expires_at else None,
        kind=question.kind,
        tool_id=question.tool_id,
        arguments=None if question.arguments is None else fragment(question.arguments),
        digest=question.digest,
        policy_id=question.policy_id,
        four_eyes=question.four_eyes,
    )
    payload: JsonObject = {
        "node_id": question.node_id,
        "message": question.message,
        "role": question.role,
        "step_id": row.name,
        "kind": question.kind,
        "expires_at": expires_at.isoformat() if expires_at else None,
    }
    if question.tool_id:
        payload |= {"tool_id": question.tool_id, "arguments": question.arguments, "digest": question.digest}
    ctx.emit("approval_requested", payload | question.context, row.name)
    await ctx.steps.write_wait(row, expires_at)
    return expires_at


async def _wait(ctx: "RunContext", name: str, expires_at: datetime | None) -> JsonObject:
    """The approval's row, once somebody has decided."""
    if expires_at is None or expires_at > now():
        with suppress(TimeoutError), limits_suspended():
            return dict(await ctx.branches.wait(Wait(name, "approval", expires_at)))
    raise Rejected("Nobody decided in time.")
