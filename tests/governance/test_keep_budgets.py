"""Budgets: nothing is spent past a limit, nothing refused that would have fitted; what is left shows."""

import asyncio
import os
import random
import uuid
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from psycopg import AsyncConnection

from accounts.models import Tenant
from governance.budgets import reservations
from governance.budgets.budget_limits import applicable_limits, limits_of
from governance.budgets.reservations import MICRO_PER_CENT, BudgetExceeded, ReservationRequest
from governance.models import Budget, BudgetLimit, Hold
from orchestration.engine.journal.connections import connect
from tests.factories import log_in, make_tenant, make_user

if TYPE_CHECKING:
    from rest_framework.test import APIClient

URL = "/api/v1/budgets"
CAP = 100 * MICRO_PER_CENT
TRIALS = int(os.environ.get("BUDGET_TRIALS", "20"))  # 1,000 take a quarter of an hour
CALLS, CONNECTIONS = 64, 8


@pytest.fixture
def admin(tenant: Tenant) -> "APIClient":
    """A client of the tenant's admin."""
    return log_in(make_user(tenant, "admin"))


def post(api: "APIClient", **body: Any) -> dict:
    """The new budget."""
    answer = api.post(URL, {"scope": "tenant", "period": "day", "limit_cents": 100} | body, format="json")
    assert answer.status_code == 201, answer.content
    return answer.json()


async def pay(connections: "asyncio.Queue[AsyncConnection]", request: ReservationRequest, actual: int) -> bool:
    """Reserve, call, settle: whether it was let."""

    @asynccontextmanager
    async def borrow() -> Any:
        connection = await connections.get()
        try:
            yield connection
        finally:
            connections.put_nowait(connection)

    bill = None
    while bill is None:
        try:
            async with borrow() as connection:
                bill = await reservations.reserve(connection, request, uuid.uuid4())
        except BudgetExceeded:
            return False
        if bill is None:
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    async with borrow() as connection:
        bills = [{"hold_id": str(bill.hold_id), "micro": actual, "calls": 1}]
        await connection.execute(reservations.SETTLE, {"bills": orjson.dumps(bills).decode()})
    return True


async def trial(tenant_id: str, limit_id: uuid.UUID, prices: list[tuple[int, int]]) -> list[bool]:
    """Which of these calls, (reserved, actual) each, were let, all made at once."""
    connections: asyncio.Queue[AsyncConnection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        connections.put_nowait(await connect())
    calls = [
        pay(connections, ReservationRequest(tenant_id, uuid.uuid4(), [], [limit_id], most, 1), actual)
        for most, actual in prices
    ]
    results = await asyncio.gather(*calls)
    while not connections.empty():
        await connections.get_nowait().close()
    return results


@pytest.fixture
def limit(transactional_db: None) -> Iterator[BudgetLimit]:
    """100 cents a day for a tenant."""
    fields = {"scope": "tenant", "period": "day", "cost_limit_micro": CAP}
    yield BudgetLimit.all_tenants.create(tenant=make_tenant(), **fields)


@pytest.mark.parametrize("exact", [True, False], ids=["as reserved", "less than reserved"])
def test_parallel_calls_never_overspend_and_are_not_refused_for_nothing(limit: BudgetLimit, exact: bool) -> None:
    dice = random.Random(7)
    for _ in range(TRIALS):
        Budget.all_tenants.filter(limit_id=limit.pk).delete()
        most = [dice.randint(1, CAP // 8) for _ in range(CALLS)]
        prices = [(price, price if exact else dice.randint(0, price)) for price in most]
        results = asyncio.run(trial(limit.tenant_id, limit.pk, prices))
        total = sum(actual for (_, actual), is_allowed in zip(prices, results, strict=True) if is_allowed)
        budget = Budget.all_tenants.get(limit_id=limit.pk)
        assert (budget.spent_micro, budget.held_micro, budget.held_calls) == (total, 0, 0) and total <= CAP
        assert budget.spent_calls == sum(results) and not Hold.all_tenants.exists()
        # Refused was only what would not have fitted beside what was spent in the end.
        assert all(
            total + price > CAP for (price, _), is_allowed in zip(prices, results, strict=True) if not is_allowed
        )


def test_a_limit_on_calls_is_exact(limit: BudgetLimit) -> None:
    BudgetLimit.all_tenants.filter(pk=limit.pk).update(cost_limit_micro=None, calls_limit=5)
    results = asyncio.run(trial(limit.tenant_id, limit.pk, [(10, 10)] * 20))
    assert sum(results) == 5


def test_a_call_comes_under_the_limits_of_all_it_is_part_of(admin: "APIClient", tenant: Tenant) -> None:
    fields = {
        name: post(admin, scope=name, scope_id=id)["id"]
        for name, id in (("tenant", ""), ("user", "u1"), ("app", "a1"), ("agent", "x1"), ("team", "t1"))
    }
    post(admin, scope="agent", scope_id="another")
    scope_ids = {"user": "u1", "app": "", "agent": "x1", "team": ""}
    limit_ids = applicable_limits(limits_of(tenant.pk), scope_ids)
    assert {str(id) for id in limit_ids} == {fields["tenant"], fields["user"], fields["agent"]}


def test_a_budget_tells_what_is_spent_held_and_left(admin: "APIClient", tenant: Tenant) -> None:
    fields = post(admin, limit_calls=10)
    assert (fields["spent_cents"], fields["left_cents"], fields["left_calls"], fields["warning"]) == (0, 100, 10, False)
    first = fields["starts_at"][:10]
    used = {"spent_micro": 30 * MICRO_PER_CENT, "held_micro": 5 * MICRO_PER_CENT, "spent_calls": 3, "held_calls": 1}
    limits = {"cost_limit_micro": CAP, "calls_limit": 10}
    Budget.all_tenants.create(tenant=tenant, limit_id=fields["id"], scope="tenant", starts_on=first, **limits, **used)
    (row,) = admin.get(URL).json()
    assert (row["spent_cents"], row["held_cents"], row["left_cents"]) == (30, 5, 65)
    assert (row["spent_calls"], row["held_calls"], row["left_calls"]) == (3, 1, 6)
    updated_budget = admin.patch(f"{URL}/{fields['id']}", {"limit_cents": 40}, format="json").json()
    assert (updated_budget["limit_cents"], updated_budget["left_cents"], updated_budget["limit_calls"]) == (40, 5, 10)
    assert admin.delete(f"{URL}/{fields['id']}").status_code == 200 and admin.get(URL).json() == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"limit_cents": None}, "limit_cents"),
        ({"limit_cents": -1}, "limit_cents"),
        ({"limit_cents": "much"}, "limit_cents"),
        ({"limit_calls": 1.5}, "limit_calls"),
        ({"period": "week"}, "period"),
        ({"scope": "agent"}, "scope_id"),
        ({"scope": "planet"}, "scope"),
    ],
)
def test_what_cannot_be_is_named(admin: "APIClient", body: dict, field: str) -> None:
    answer = admin.post(URL, {"scope": "tenant", "period": "day", "limit_cents": 1} | body, format="json")
    assert answer.status_code == 400 and field in answer.json()["context"]["errors"]


def test_there_is_one_of_a_kind_and_admins_set_it(admin: "APIClient", tenant: Tenant) -> None:
    post(admin)
    answer = admin.post(URL, {"scope": "tenant", "period": "day", "limit_cents": 1}, format="json")
    assert answer.status_code == 409
    developer = log_in(make_user(tenant, "developer"))
    assert len(developer.get(URL).json()) == 1
    assert developer.post(URL, {}, format="json").status_code == 403
