"""Who gets the free slots: tenants by weight, runs by priority and age, never more than the caps."""

import asyncio
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Tenant
from orchestration.engine import claims
from orchestration.engine.claims import ClaimLimits
from orchestration.engine.journal.connections import connect
from orchestration.models import Engine, Run
from orchestration.program.run_info import RunInfo
from tests.orchestration.running import start


def claimed(
    most: int,
    owner: str = "tester",
    tenant_cap: int = 0,
    solitary: bool = False,
    worker: str = "",
    alone: bool = False,
    **kind_caps: int,
) -> list[RunInfo]:
    """What this owner gets."""

    async def claim() -> list[RunInfo]:
        connection = await connect()
        async with connection:
            limits = ClaimLimits(most, tenant_cap, kind_caps, 3)
            if solitary:
                values = claims.claim_values(owner, limits) | {"alone": alone}
                return await claims.claim_by(connection, "claim_suspects", values)
            return await claims.claim(connection, owner, limits)

    alive = {"lock_key": 1, "host": "here", "pid": 1, "slots": 1, "lease_until": timezone.now() + timedelta(seconds=5)}
    Engine.objects.get_or_create(owner=owner, defaults=alive | {"worker": worker, "solitary": solitary})
    return asyncio.run(claim())


@pytest.fixture()
def other(acme: Tenant) -> Tenant:
    """A second tenant that competes."""
    return Tenant.objects.create(id="other", name="Other")


def test_a_late_tenant_does_not_queue_behind_a_busy_one(acme: Tenant, other: Tenant) -> None:
    for _ in range(20):
        start(acme, "k")
    for _ in range(5):
        start(other, "k")
    assert Counter(run.tenant_id for run in claimed(10)) == {"acme": 5, "other": 5}


def test_weights_share_the_slots(acme: Tenant, other: Tenant) -> None:
    Tenant.objects.filter(pk="other").update(weight=3)
    for each in (acme, other):
        for _ in range(20):
            start(each, "k")
    assert Counter(run.tenant_id for run in claimed(8)) == {"acme": 2, "other": 6}


def test_what_a_tenant_has_running_counts(acme: Tenant, other: Tenant) -> None:
    for _ in range(6):
        start(acme, "k")
    assert len(claimed(4)) == 4
    for _ in range(6):
        start(other, "k")
    assert Counter(run.tenant_id for run in claimed(4, owner="second")) == {"other": 4}


def test_a_higher_priority_goes_first_and_age_makes_up_for_it(acme: Tenant) -> None:
    old, urgent, new = start(acme, "k"), start(acme, "k", priority=5), start(acme, "k")
    Run.all_tenants.filter(pk=old.pk).update(due_at=timezone.now() - timedelta(minutes=10))
    assert [claimed(1)[0].id for _ in range(3)] == [old.pk, urgent.pk, new.pk]


def test_a_tenants_cap_is_never_passed(acme: Tenant, other: Tenant) -> None:
    Tenant.objects.filter(pk="acme").update(max_running=3)
    for _ in range(6):
        start(acme, "k")
    assert len(claimed(2)) == 2 and len(claimed(5)) == 1 and claimed(5) == []


def test_the_default_cap_holds_for_tenants_without_one(acme: Tenant) -> None:
    for _ in range(4):
        start(acme, "k")
    assert len(claimed(10, tenant_cap=2)) == 2


def test_a_kind_has_a_cap_of_its_own(acme: Tenant) -> None:
    for _ in range(4):
        start(acme, "heavy")
    start(acme, "light")
    assert Counter(run.kind for run in claimed(10, heavy=2)) == {"heavy": 2, "light": 1}
    assert claimed(10, heavy=2) == []


def test_a_run_is_claimed_once(acme: Tenant) -> None:
    for _ in range(10):
        start(acme, "k")
    ids = [run.id for owner in ("one", "two") for run in claimed(6, owner=owner)]
    assert len(ids) == len(set(ids)) == 10


def test_a_run_is_not_claimed_before_its_time(acme: Tenant) -> None:
    run = start(acme, "k")
    Run.all_tenants.filter(pk=run.pk).update(due_at=timezone.now() + timedelta(hours=1))
    assert claimed(10) == []


def test_suspects_are_claimed_by_solitary_engines_the_least_suspected_first(acme: Tenant) -> None:
    suspects = [start(acme, "k") for _ in range(3)]
    Run.all_tenants.update(suspect_deaths=2)
    Run.all_tenants.filter(pk=suspects[0].pk).update(held_against=1)
    innocent = start(acme, "k")
    assert [run.id for run in claimed(10)] == [innocent.pk]
    assert [claimed(1, owner=f"apart {n}", solitary=True)[0].id for n in range(3)] == [
        suspects[1].pk, suspects[2].pk, suspects[0].pk,
    ]  # fmt: skip
    assert claimed(10, owner="apart 4", solitary=True) == []


def test_caps_hold_for_suspects_too(acme: Tenant) -> None:
    start(acme, "k")
    assert len(claimed(1)) == 1
    start(acme, "k")
    Run.all_tenants.filter(owner=None).update(suspect_deaths=2)
    assert claimed(1, solitary=True, tenant_cap=1) == [] and claimed(1, solitary=True, k=1) == []
    assert len(claimed(1, solitary=True, tenant_cap=2, k=2)) == 1


def test_of_a_suspect_that_was_cancelled_or_is_given_up_any_engine_writes_the_end(acme: Tenant) -> None:
    cancelled, given_up = start(acme, "k"), start(acme, "k")
    Run.all_tenants.update(suspect_deaths=2)
    Run.all_tenants.filter(pk=cancelled.pk).update(cancel_requested=True)
    Run.all_tenants.filter(pk=given_up.pk).update(held_against=3)
    assert claimed(1, owner="alone", solitary=True) == [] and len(claimed(10)) == 2


def test_a_user_has_five_tasks_under_way_and_holds_up_nobody(acme: Tenant) -> None:
    mine, yours = uuid.uuid4(), uuid.uuid4()
    for _ in range(9):
        start(acme, "task", created_by=mine)
    start(acme, "task", created_by=yours)
    start(acme, "k", created_by=mine)
    assert Counter((run.kind, run.created_by) for run in claimed(50)) == {
        ("task", mine): 5,
        ("task", yours): 1,
        ("k", mine): 1,
    }
    assert claimed(50) == []
    ended = Run.all_tenants.filter(kind="task", created_by=mine, status="running").first()
    assert ended is not None
    Run.all_tenants.filter(pk=ended.pk).update(status="completed", owner=None, due_at=None)
    assert [run.created_by for run in claimed(50)] == [mine]


def test_a_task_that_has_begun_goes_on_whatever_waits(acme: Tenant) -> None:
    mine = uuid.uuid4()
    for _ in range(6):
        start(acme, "task", created_by=mine)
    begun = claimed(50)[0]
    Run.all_tenants.filter(pk=begun.id).update(owner=None, due_at=timezone.now())  # its worker has died
    assert [run.id for run in claimed(50)] == [begun.id]


ROWS = """
INSERT INTO orchestration_run (id, tenant_id, kind, input, budget_ids, due_at, status)
SELECT gen_random_uuid(), %(tenant)s, 'k', '{}', '{}', %(due)s, %(status)s FROM generate_series(1, %(count)s)
"""
READ = "SELECT pg_stat_get_xact_tuples_returned('orchestration_run_pkey'::regclass)::int AS read"


def test_a_claim_looks_up_by_key_what_it_claims_also_by_a_plan_made_for_an_empty_table(acme: Tenant) -> None:
    async def read_for(queued: int, finished: int) -> tuple[int, int]:
        connection, limits = await connect(), ClaimLimits(queued, 0, {}, 3)
        async with connection:
            for _ in range(4):  # so that its plan is kept
                await claims.claim(connection, "tester", limits)
            rows = {"tenant": acme.pk, "due": None, "status": "completed", "count": finished}
            await connection.execute(ROWS, rows)
            await connection.execute(ROWS, rows | {"due": timezone.now(), "status": "pending", "count": queued})
            before = (await connection.execute_transaction([(READ, [])]))[0]
            found = await claims.claim(connection, "tester", limits)
            after = (await connection.execute_transaction([(READ, [])]))[0]
            return len(found), after[0]["read"] - before[0]["read"]

    claimed_of_many, read = asyncio.run(read_for(queued=20, finished=2_000))
    assert claimed_of_many == 20 and 20 <= read < 200


def test_a_suspended_tenants_runs_wait_until_it_is_resumed(acme: Tenant, other: Tenant) -> None:
    for each in (acme, other):
        start(each, "k")
        start(each, "task", created_by=uuid.uuid4())
    Tenant.objects.filter(pk="acme").update(suspended=True)
    assert Counter(run.tenant_id for run in claimed(10)) == {"other": 2}
    assert set(Run.all_tenants.filter(tenant=acme).values_list("status", flat=True)) == {"pending"}
    Tenant.objects.filter(pk="acme").update(suspended=False)
    assert Counter(run.tenant_id for run in claimed(10)) == {"acme": 2}
