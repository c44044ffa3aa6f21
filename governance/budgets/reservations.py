"""Limits on money and model calls: reserved before a call, settled after it, so that parallel calls never overspend.

A call draws from its run's own budget and from every daily or monthly limit that applies to it, all or nothing. One
that does not fit beside the amounts held for other calls waits for those to settle; one that does not fit beside the
amounts spent is refused.
"""

import asyncio
import uuid
from dataclasses import dataclass, field

from psycopg import AsyncConnection, AsyncCursor

from config.database.queries import load_queries
from config.errors import DomainError
from config.values.json_types import JsonObject
from governance.models import Budget

MICRO_PER_CENT = 10_000
RETRY_INTERVAL_S = 0.05  # while other calls hold what this one needs
QUERIES = load_queries(__package__, "sql/reservations.sql")
SETTLE, RELEASE, LOCK = QUERIES["settle"], QUERIES["release"], QUERIES["lock"]


class BudgetExceeded(DomainError):
    """BUDGET_EXCEEDED: the call would pass the run's budget, so it was refused."""

    status, code = 402, "BUDGET_EXCEEDED"


@dataclass
class Bill:
    """The amount that is held for one call, and its cost; 0 until `charge`."""

    hold_id: uuid.UUID | None
    budget_ids: list[int]
    held_micro: int
    held_calls: int
    cost_micro: int = 0
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    warnings: list[JsonObject] = field(default_factory=list)  # of budgets that have just come to four fifths

    def charge(self, cost_micro: int = 0, prompt_tokens: int = 0, completion_tokens: int = 0, calls: int = 1) -> None:
        """Set the cost of the call."""
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


@dataclass(frozen=True)
class ReservationRequest:
    """An amount to hold for a call on its run's own budgets and on the daily and monthly limits that apply to it."""

    tenant_id: str
    run_id: uuid.UUID
    budget_ids: list[int]
    limit_ids: list[uuid.UUID]
    micro: int
    calls: int


async def reserve(connection: AsyncConnection, request: ReservationRequest, hold: uuid.UUID) -> Bill | None:
    """A bill whose amount is held on all these budgets; None when it must wait for what others hold.

    Raises BudgetExceeded when one of them would be passed whatever becomes of those.
    """
    ids = sorted([*request.budget_ids, *await _period_budgets(connection, request.limit_ids)])
    if not ids:
        return Bill(None, [], 0, 0)
    amount = {"micro": request.micro, "calls": request.calls}
    values = amount | {"ids": ids, "hold": hold, "tenant": request.tenant_id, "run": request.run_id}
    async with connection.transaction() as transaction:
        if len(ids) > 1:
            await connection.execute(LOCK, {"ids": ids})
        rows = await (await connection.execute(QUERIES["reserve"], values)).fetchall()
        if len(rows) == len(ids):
            warnings = [_warning(*row[2:]) for row in rows if row[1]]
            return Bill(hold, ids, request.micro, request.calls, warnings=warnings)
        refusal = await _refusal(connection, set(ids) - {row[0] for row in rows}, request)
        transaction.force_rollback = True
    if refusal:
        raise refusal
    return None


async def wait_for_release() -> None:
    """Return when other calls may have settled."""
    await asyncio.sleep(RETRY_INTERVAL_S)


async def _period_budgets(connection: AsyncConnection, limit_ids: list[uuid.UUID]) -> list[int]:
    """The ids of the budgets of these limits in the current period."""
    if not limit_ids:
        return []
    rows = await (await connection.execute(QUERIES["period_budgets"], {"limits": limit_ids})).fetchall()
    if len(rows) < len(limit_ids):
        await connection.execute(QUERIES["open_period_budgets"], {"limits": limit_ids})
        rows = await (await connection.execute(QUERIES["period_budgets"], {"limits": limit_ids})).fetchall()
    return [id for (id,) in rows]


def _cents(micro: int) -> float:
    return round(micro / MICRO_PER_CENT, 4)


def _warning(
    scope: str, scope_id: str, cost_limit: int | None, cost: int, calls_limit: int | None, calls: int
) -> JsonObject:
    payload: JsonObject = {"scope": scope, "scope_id": scope_id}
    if cost_limit is not None:
        payload |= {"limit_cents": _cents(cost_limit), "used_cents": _cents(cost)}
    if calls_limit is not None:
        payload |= {"limit": calls_limit, "used": calls}
    return payload | {"message": f"Four fifths of the budget of {_owner_name(scope, scope_id)} are used or held."}


def _owner_name(scope: str, scope_id: str) -> str:
    return f"the {scope} {scope_id}".strip() if scope not in ("run", "tenant") else f"the {scope}"


async def _refusal(connection: AsyncConnection, ids: set[int], request: ReservationRequest) -> BudgetExceeded | None:
    """The refusal, saying which limit it is; None when the call may fit once what others hold is settled."""
    cursor: AsyncCursor = await connection.execute(QUERIES["balances"], {"ids": list(ids)})
    for scope, scope_id, cost_limit, cost, held_cost, calls_limit, calls, held_calls in await cursor.fetchall():
        budget, owner = {"scope": scope, "scope_id": scope_id}, _owner_name(scope, scope_id)
        if calls_limit is not None and calls + request.calls > calls_limit:
            used_calls = calls + held_calls
            text = f"the limit of {owner} is {calls_limit} model calls, and {used_calls} are used or under way."
            details: JsonObject = {"type": "llm_calls_exceeded", "limit": calls_limit, "used": used_calls}
            return BudgetExceeded(f"BUDGET_EXCEEDED: {text}", **details, **budget)
        if cost_limit is not None and cost + request.micro > cost_limit:
            limit, used_cents, price = _cents(cost_limit), _cents(cost + held_cost), _cents(request.micro)
            text = f"the limit of {owner} is {limit} cents, {used_cents} are used or held, the call may cost {price}."
            details = {"type": "cost_exceeded", "limit_cents": limit, "used_cents": used_cents}
            return BudgetExceeded(f"BUDGET_EXCEEDED: {text}", **details, **budget)
    return None
