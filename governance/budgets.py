"""Limits on money and model calls: reserved before a call, settled after it, so that parallel calls never overspend."""

import uuid
from dataclasses import dataclass, field

from psycopg import AsyncConnection, AsyncCursor

from config.errors import DomainError
from governance.models import Budget

MICRO_PER_CENT = 10_000


class BudgetExceeded(DomainError):
    """BUDGET_EXCEEDED: the call would pass the run's budget, so it was refused."""

    status, code = 402, "BUDGET_EXCEEDED"


@dataclass
class Bill:
    """What one call was reserved for, and what it turned out to cost. Without `actual` nothing was spent."""

    hold_id: uuid.UUID | None
    budget_ids: list[int]
    held_micro: int
    held_calls: int
    cost_micro: int = 0
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    settled: bool = field(default=False, repr=False)

    def actual(self, cost_micro: int = 0, prompt_tokens: int = 0, completion_tokens: int = 0, calls: int = 1) -> None:
        """Say what the call has cost."""
        self.cost_micro, self.calls = cost_micro, calls
        self.prompt_tokens, self.completion_tokens = prompt_tokens, completion_tokens


def open_run_budget(
    tenant_id: str, run_id: uuid.UUID, cost_limit_micro: int | None, calls_limit: int | None
) -> list[int]:
    """The new budget's id in a list; empty when the run has no limit of its own."""
    if cost_limit_micro is None and calls_limit is None:
        return []
    limits = {"cost_limit_micro": cost_limit_micro, "calls_limit": calls_limit}
    return [Budget.all_tenants.create(tenant_id=tenant_id, scope="run", scope_id=str(run_id), **limits).pk]


LOCK = "SELECT id FROM governance_budget WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
# A blocked UPDATE looks at the row again when it gets it, so the limits hold for any number of callers at once.
RESERVE = """
WITH fits AS (
    UPDATE governance_budget SET held_micro = held_micro + %(micro)s, held_calls = held_calls + %(calls)s
    WHERE id = ANY(%(ids)s)
      AND (cost_limit_micro IS NULL OR spent_micro + held_micro + %(micro)s <= cost_limit_micro)
      AND (calls_limit IS NULL OR spent_calls + held_calls + %(calls)s <= calls_limit)
    RETURNING id
), hold AS (
    INSERT INTO governance_hold (id, tenant_id, run_id, budget_ids, micro, calls, created_at)
    VALUES (%(hold)s, %(tenant)s, %(run)s, %(ids)s, %(micro)s, %(calls)s, now())
)
SELECT array_agg(id) FROM fits
"""
WHY = """
SELECT id, cost_limit_micro, spent_micro + held_micro, calls_limit, spent_calls + held_calls
FROM governance_budget WHERE id = ANY(%s) ORDER BY id
"""
# Holds are deleted and budgets moved by what was deleted: settling one twice moves nothing.
SETTLE = """
WITH bill AS (
    SELECT * FROM json_to_recordset(%(bills)s::json) AS b(hold_id uuid, micro bigint, calls int)
), gone AS (
    DELETE FROM governance_hold h USING bill WHERE h.id = bill.hold_id
    RETURNING h.budget_ids, h.micro AS held_micro, h.calls AS held_calls, bill.micro, bill.calls
), moved AS (
    SELECT budget_id, sum(held_micro) AS held_micro, sum(held_calls) AS held_calls,
           sum(micro) AS micro, sum(calls) AS calls
    FROM gone, unnest(gone.budget_ids) AS budget_id GROUP BY budget_id
)
UPDATE governance_budget b
SET held_micro = b.held_micro - m.held_micro, held_calls = b.held_calls - m.held_calls,
    spent_micro = b.spent_micro + m.micro, spent_calls = b.spent_calls + m.calls
FROM moved m WHERE b.id = m.budget_id
"""
# What a dead worker had reserved is given back: its calls are made again, if at all, under a new hold.
RELEASE = """
WITH gone AS (
    DELETE FROM governance_hold WHERE run_id = ANY(%s) RETURNING budget_ids, micro, calls
), moved AS (
    SELECT budget_id, sum(micro) AS micro, sum(calls) AS calls
    FROM gone, unnest(gone.budget_ids) AS budget_id GROUP BY budget_id
)
UPDATE governance_budget b SET held_micro = b.held_micro - m.micro, held_calls = b.held_calls - m.calls
FROM moved m WHERE b.id = m.budget_id
"""


async def reserve(
    connection: AsyncConnection,
    tenant_id: str,
    run_id: uuid.UUID,
    budget_ids: list[int],
    micro: int,
    calls: int,
    hold: uuid.UUID,
) -> Bill:
    """A bill whose amount is held on all these budgets; raises BudgetExceeded when one of them would be passed."""
    if not budget_ids:
        return Bill(None, [], 0, 0)
    values = {"ids": budget_ids, "micro": micro, "calls": calls, "hold": hold, "tenant": tenant_id, "run": run_id}
    refusal = None
    async with connection.transaction() as transaction:
        if len(budget_ids) > 1:
            await connection.execute(LOCK, [budget_ids])  # always in the order of ids: no deadlock
        fits = (await (await connection.execute(RESERVE, values)).fetchone() or [None])[0] or []
        if len(fits) < len(budget_ids):
            refusal = await _why(connection, set(budget_ids) - set(fits), micro, calls)
            transaction.force_rollback = True
    if refusal:
        raise refusal
    return Bill(hold, budget_ids, micro, calls)


async def _why(connection: AsyncConnection, ids: set[int], micro: int, calls: int) -> BudgetExceeded:
    """The refusal, saying which limit it is."""
    cursor: AsyncCursor = await connection.execute(WHY, [list(ids)])
    for _, cost_limit, cost, calls_limit, used in await cursor.fetchall():
        if calls_limit is not None and used + calls > calls_limit:
            text = f"BUDGET_EXCEEDED: the limit is {calls_limit} model calls, and {used} are used or under way."
            return BudgetExceeded(text, type="llm_calls_exceeded", limit=calls_limit, used=used)
        if cost_limit is not None and cost + micro > cost_limit:
            cents = [round(value / MICRO_PER_CENT, 4) for value in (cost_limit, cost, micro)]
            text = "BUDGET_EXCEEDED: the limit is {} cents, {} are used or held, the call may cost {}.".format(*cents)
            return BudgetExceeded(text, type="cost_exceeded", limit_cents=cents[0], used_cents=cents[1])
    return BudgetExceeded(type="cost_exceeded")
