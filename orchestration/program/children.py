"""Starting a child run from within a run: once per step, under the parent's lease."""

from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from uuid_utils.compat import uuid7

from orchestration.program.journal_entry import LeaseLost
from orchestration.program.json_fragments import recordable
from orchestration.program.retry import StepFailed
from orchestration.program.run_info import RunInfo

DEEPEST = 10
# A child draws from its parent's budgets, and acts for whom its parent acts.
INSERT = """
INSERT INTO orchestration_run (id, tenant_id, kind, subject_id, subject_version, mode, input, created_by, on_behalf_of,
    app_id, app_action_id, trigger, policy, trace_id, parent_id, parent_step, depth, priority,
    due_at, budget_ids)
SELECT %(id)s, p.tenant_id, %(kind)s, %(subject)s, %(version)s, %(mode)s, %(input)s::jsonb, p.created_by,
    p.on_behalf_of, p.app_id, p.app_action_id, p.trigger, %(policy)s::jsonb, p.trace_id, p.id, %(step)s,
    p.depth + 1, p.priority, now(), p.budget_ids
FROM orchestration_run p WHERE p.id = %(parent)s AND p.owner = %(owner)s AND p.attempt = %(attempt)s FOR NO KEY UPDATE
ON CONFLICT (parent_id, parent_step) WHERE parent_id IS NOT NULL DO NOTHING
"""
EXISTING = "SELECT id FROM orchestration_run WHERE parent_id = %s AND parent_step = %s"


async def insert(
    connection: AsyncConnection,
    owner: str,
    parent: RunInfo,
    step: str,
    kind: str,
    subject_id: str,
    subject_version: int | None,
    input: Any,
    mode: str,
    policy: dict[str, Any] | None,
) -> UUID:
    """The child's id: inserted, or there already; LeaseLost when the parent is somebody else's by now."""
    if parent.depth >= DEEPEST:
        raise StepFailed(step, f"Runs may start runs {DEEPEST} levels deep; this would be one more.", "TooDeep")
    id: UUID = uuid7()
    values = {
        "id": id,
        "kind": kind,
        "subject": subject_id,
        "version": subject_version,
        "mode": mode,
        "policy": None if policy is None else recordable(policy).decode(),
        "input": recordable(input).decode(),
        "step": step,
        "parent": parent.id,
        "owner": owner,
        "attempt": parent.attempt,
    }
    if (await connection.execute(INSERT, values)).rowcount:
        return id
    found = await (await connection.execute(EXISTING, [parent.id, step])).fetchone()
    if found is None:
        raise LeaseLost(parent.id)
    earlier: UUID = found[0]
    return earlier


def child_error(what: str, ended: dict[str, Any]) -> tuple[str, str]:
    """(error, its type) of a child run, `what`, that did not complete."""
    told = ended["result"] if isinstance(ended["result"], dict) else {}
    return told.get("error") or f"{what} ended {ended['status']}.", told.get("error_type") or "ChildFailed"
