"""Limits on money and model calls: reserved before a call, settled after it, so that parallel calls never overspend.

A call draws from its run's own budget and from every standing limit that it comes under, all or nothing. One that does
not fit beside what others hold waits for them to settle: it is refused when it would not fit beside what is spent.
"""

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Any

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
    warnings: list[dict[str, Any]] = field(default_factory=list)  # of budgets that have just come to four fifths

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
    UPDATE governance_budget SET held_micro = held_micro + %(micro)s, held_calls = held_calls + %(calls)s,
        warned_at = CASE WHEN warned_at IS NULL AND (
            5 * (spent_micro + held_micro + %(micro)s) >= 4 * cost_limit_micro
            OR 5 * (spent_calls + held_calls + %(calls)s) >= 4 * calls_limit) THEN now() ELSE warned_at END
    WHERE id = ANY(%(ids)s)
      AND (cost_limit_micro IS NULL OR spent_micro + held_micro + %(micro)s <= cost_limit_micro)
      AND (calls_limit IS NULL OR spent_calls + held_calls + %(calls)s <= calls_limit)
    RETURNING *
), hold AS (
    INSERT INTO governance_hold (id, tenant_id, run_id, budget_ids, micro, calls, created_at)
    VALUES (%(hold)s, %(tenant)s, %(run)s, %(ids)s, %(micro)s, %(calls)s, now())
)
SELECT id, warned_at = now(), scope, scope_id, cost_limit_micro, spent_micro + held_micro, calls_limit,
    spent_calls + held_calls
FROM fits
"""
WHY = """
SELECT scope, scope_id, cost_limit_micro, spent_micro, held_micro, calls_limit, spent_calls, held_calls
FROM governance_budget WHERE id = ANY(%s) ORDER BY id
"""
THIS_PERIOD = """
CASE l.period WHEN 'day' THEN (now() AT TIME ZONE 'UTC')::date
    ELSE date_trunc('month', now() AT TIME ZONE 'UTC')::date END
"""
COUNTERS = f"""
SELECT b.id FROM governance_budgetlimit l JOIN governance_budget b ON b.limit_id = l.id AND b.starts_on = {THIS_PERIOD}
WHERE l.id = ANY(%s)
"""
OPEN = f"""
INSERT INTO governance_budget (tenant_id, limit_id, scope, scope_id, starts_on, cost_limit_micro, calls_limit)
SELECT l.tenant_id, l.id, l.scope, l.scope_id, {THIS_PERIOD}, l.cost_limit_micro, l.calls_limit
FROM governance_budgetlimit l WHERE l.id = ANY(%s) ORDER BY l.id ON CONFLICT (limit_id, starts_on) DO NOTHING
"""
LOOK_AGAIN_S = 0.05  # while others hold what we would need
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


@dataclass(frozen=True)
class Wanted:
    """What a call is to be reserved on: its run's own budgets, and the standing limits that it comes under."""

    tenant_id: str
    run_id: uuid.UUID
    budget_ids: list[int]
    limit_ids: list[uuid.UUID]
    micro: int
    calls: int


async def reserve(connection: AsyncConnection, wanted: Wanted, hold: uuid.UUID) -> Bill | None:
    """A bill whose amount is held on all these budgets; None when it must wait for what others hold.

    Raises BudgetExceeded when one of them would be passed whatever becomes of those.
    """
    ids = sorted([*wanted.budget_ids, *await _counters(connection, wanted.limit_ids)])
    if not ids:
        return Bill(None, [], 0, 0)
    amount = {"micro": wanted.micro, "calls": wanted.calls}
    values = amount | {"ids": ids, "hold": hold, "tenant": wanted.tenant_id, "run": wanted.run_id}
    async with connection.transaction() as transaction:
        if len(ids) > 1:
            await connection.execute(LOCK, [ids])  # always in the order of ids: no deadlock
        rows = await (await connection.execute(RESERVE, values)).fetchall()
        if len(rows) == len(ids):
            warnings = [_warning(*row[2:]) for row in rows if row[1]]
            return Bill(hold, ids, wanted.micro, wanted.calls, warnings=warnings)
        refusal = await _why(connection, set(ids) - {row[0] for row in rows}, wanted)
        transaction.force_rollback = True
    if refusal:
        raise refusal
    return None


async def wait_for_others() -> None:
    """Return when it is worth asking again."""
    await asyncio.sleep(LOOK_AGAIN_S)


async def _counters(connection: AsyncConnection, limit_ids: list[uuid.UUID]) -> list[int]:
    """The budgets of these standing limits in this period."""
    if not limit_ids:
        return []
    rows = await (await connection.execute(COUNTERS, [limit_ids])).fetchall()
    if len(rows) < len(limit_ids):
        await connection.execute(OPEN, [limit_ids])
        rows = await (await connection.execute(COUNTERS, [limit_ids])).fetchall()
    return [id for (id,) in rows]


def _cents(micro: int) -> float:
    return round(micro / MICRO_PER_CENT, 4)


def _warning(
    scope: str, scope_id: str, cost_limit: int | None, cost: int, calls_limit: int | None, calls: int
) -> dict[str, Any]:
    told: dict[str, Any] = {"scope": scope, "scope_id": scope_id}
    if cost_limit is not None:
        told |= {"limit_cents": _cents(cost_limit), "used_cents": _cents(cost)}
    if calls_limit is not None:
        told |= {"limit": calls_limit, "used": calls}
    return told | {"message": f"Four fifths of the budget of {_whose(scope, scope_id)} are used or held."}


def _whose(scope: str, scope_id: str) -> str:
    return f"the {scope} {scope_id}".strip() if scope not in ("run", "tenant") else f"the {scope}"


async def _why(connection: AsyncConnection, ids: set[int], wanted: Wanted) -> BudgetExceeded | None:
    """The refusal, saying which limit it is; None when the call may fit once what others hold is settled."""
    cursor: AsyncCursor = await connection.execute(WHY, [list(ids)])
    for scope, scope_id, cost_limit, cost, held, calls_limit, calls, held_calls in await cursor.fetchall():
        of, whose = {"scope": scope, "scope_id": scope_id}, _whose(scope, scope_id)
        if calls_limit is not None and calls + wanted.calls > calls_limit:
            used = calls + held_calls
            text = f"the limit of {whose} is {calls_limit} model calls, and {used} are used or under way."
            told: dict[str, Any] = {"type": "llm_calls_exceeded", "limit": calls_limit, "used": used}
            return BudgetExceeded(f"BUDGET_EXCEEDED: {text}", **told, **of)
        if cost_limit is not None and cost + wanted.micro > cost_limit:
            limit, used_cents, price = _cents(cost_limit), _cents(cost + held), _cents(wanted.micro)
            text = f"the limit of {whose} is {limit} cents, {used_cents} are used or held, the call may cost {price}."
            told = {"type": "cost_exceeded", "limit_cents": limit, "used_cents": used_cents}
            return BudgetExceeded(f"BUDGET_EXCEEDED: {text}", **told, **of)
    return None
