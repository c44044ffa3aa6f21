"""Child runs: each is started once per step, under the parent's lease, and waited for."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg import AsyncConnection
from uuid_utils.compat import uuid7

from config.values.json_types import JsonObject
from governance.budgets.reservations import BudgetExceeded
from orchestration.program.branches import Wait, now
from orchestration.program.journal_entry import LeaseLost
from orchestration.program.json_fragments import encode
from orchestration.program.policy_checks import check_child_start
from orchestration.program.retry import StepFailed, failure
from orchestration.program.run_info import RunInfo

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

MAX_DEPTH = 10  # of runs that start runs: a workflow that starts itself ends there
CHILD_POLL_S = 30.0  # a parent looks at its children at least this often, should no message of their end reach it
# A child draws from its parent's budgets, and acts for whom its parent acts.
INSERT = """
INSERT INTO orchestration_run (id, tenant_id, kind, subject_id, subject_version, mode, input, created_by, on_behalf_of,
    app_id, app_action_id, trigger, policy, trace_id, parent_id, parent_step, depth, priority,
    due_at, budget_ids)
SELECT %(id)s, p.tenant_id, %(kind)s, %(subject_id)s, %(subject_version)s, %(mode)s, %(input)s::jsonb, p.created_by,
    p.on_behalf_of, p.app_id, p.app_action_id, p.trigger, %(policy)s::jsonb, p.trace_id, p.id, %(step)s,
    p.depth + 1, p.priority, now(), p.budget_ids
FROM orchestration_run p WHERE p.id = %(parent)s AND p.owner = %(owner)s AND p.attempt = %(attempt)s FOR NO KEY UPDATE
ON CONFLICT (parent_id, parent_step) WHERE parent_id IS NOT NULL DO NOTHING
"""
EXISTING = "SELECT id FROM orchestration_run WHERE parent_id = %s AND parent_step = %s"

# (started | completed | failed, {id, result, …} of the child) → (kind, payload) of an event of the parent
ChildEvent = Callable[[str, JsonObject], tuple[str, JsonObject]]


@dataclass(frozen=True)
class NewChild:
    """The run that a step starts."""

    kind: str
    subject_id: str
    subject_version: int | None
    input: Any
    mode: str
    policy: JsonObject | None = None  # what the policies said of its start, when they said something


async def insert_child(connection: AsyncConnection, owner: str, parent: RunInfo, step: str, child: NewChild) -> UUID:
    """The child's id: inserted, or there already; LeaseLost when the parent is another engine's by now."""
    if parent.depth >= MAX_DEPTH:
        raise StepFailed(step, f"Runs may start runs {MAX_DEPTH} levels deep; this would be one more.", "TooDeep")
    id: UUID = uuid7()
    values = {
        "id": id,
        "kind": child.kind,
        "subject_id": child.subject_id,
        "subject_version": child.subject_version,
        "mode": child.mode,
        "policy": None if child.policy is None else encode(child.policy).decode(),
        "input": encode(child.input).decode(),
        "step": step,
        "parent": parent.id,
        "owner": owner,
        "attempt": parent.attempt,
    }
    if (await connection.execute(INSERT, values)).rowcount:
        return id
    row = await (await connection.execute(EXISTING, [parent.id, step])).fetchone()
    if row is None:
        raise LeaseLost(parent.id)
    existing: UUID = row[0]
    return existing


async def run_child(ctx: "RunContext", name: str, child: NewChild, event: ChildEvent | None) -> Any:
    """The result of a child run, started once; StepFailed when it did not complete.

    `event` makes events of the parent, each written with the record of what it tells.
    """
    record = ctx.run.steps.get(name)
    if record and record.status == "completed":
        return record.output
    if record and record.status == "failed":
        raise failure(name, record.error)
    row = ctx.steps.begin(name, record, "child", child.input)
    if record is None:
        id = await ctx.engine.start_child(ctx.run, name, await check_child_start(ctx, name, child))
        if event:
            ctx.emit(*event("started", {"id": id}), name)
        await ctx.steps.write_wait(row, None)
    end = await child_end(ctx, name)
    if end["status"] != "completed":
        error, error_type = _child_error(child, end)
        if event:
            ctx.emit(*event("failed", end | {"error": error, "error_type": error_type}), name)
        row.tries = 1
        await ctx.steps.fail(row, error, error_type)
        raise (
            BudgetExceeded(error) if end["failure_reason"] == "budget_exceeded" else StepFailed(name, error, error_type)
        )
    if event:
        ctx.emit(*event("completed", end), name)
    await ctx.steps.complete_wait(row, end["result"])
    return end["result"]


async def child_end(ctx: "RunContext", name: str) -> JsonObject:
    """The end {id, status, result, failure_reason, …} of the child that was started under this name."""
    end = ctx.run.inbox.children.get(name)
    while end is None:
        try:
            end = await ctx.branches.wait(Wait(name, "child", now() + timedelta(seconds=CHILD_POLL_S)))
        except TimeoutError:
            end = (await ctx.engine.inbox(ctx.run.id)).children.get(name)
    return end


def _child_error(child: NewChild, end: JsonObject) -> tuple[str, str]:
    """(error, its type) of a child run that did not complete."""
    result = end["result"] if isinstance(end["result"], dict) else {}
    error = result.get("error") or f"The {child.kind} {child.subject_id} ended {end['status']}."
    return error, result.get("error_type") or "ChildFailed"
