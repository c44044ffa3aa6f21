"""A run has one owner: a stale engine writes nothing, a dead one's runs go on elsewhere, a killer of workers is
stopped.
"""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import connection as web_connection
from django.utils import timezone

from accounts.models import Tenant
from orchestration.engine.journal.connections import connect
from orchestration.engine.journal.journal import Journal
from orchestration.engine.lease import sweep
from orchestration.models import Engine, Run, RunEvent
from orchestration.pacer import CommitPacer
from orchestration.program.context import RunContext
from orchestration.program.journal_entry import Entry, LeaseLost
from orchestration.program.registry import program
from tests.orchestration.running import LOCK_CLASS, EngineThread, ended, kinds, start, until
from tests.orchestration.test_claim_fairly import claimed


async def written(run_id: uuid.UUID, attempt: int, owner: str, *payloads: object) -> list[BaseException | None]:
    """Write an event per payload under this lease; how each write ended."""

    async def publish(entries: list[Entry], parents: list[uuid.UUID]) -> None:
        return None

    writer = Journal(connect, owner, publish, CommitPacer(lambda: 0))
    entries = []
    for seq, payload in enumerate(payloads, start=1):
        entry = Entry(run_id, attempt, asyncio.get_running_loop().create_future())
        entry.add("events", seq=seq, kind="note", step="", payload=payload, ts=0.0)
        entries.append(writer.write(entry))
    found = await asyncio.gather(*entries, return_exceptions=True)
    await writer.close()
    return found


def test_a_stale_attempt_writes_nothing(acme: Tenant) -> None:
    start(acme, "k")
    (held,) = claimed(1)
    (refusal,) = asyncio.run(written(held.id, held.attempt - 1, "tester", {"late": True}))
    assert isinstance(refusal, LeaseLost) and not RunEvent.all_tenants.filter(run_id=held.id).exists()


def test_another_owner_writes_nothing(acme: Tenant) -> None:
    start(acme, "k")
    (held,) = claimed(1)
    (refusal,) = asyncio.run(written(held.id, held.attempt, "impostor", {"late": True}))
    assert isinstance(refusal, LeaseLost)


def test_a_bad_row_hurts_only_its_run(acme: Tenant) -> None:
    start(acme, "k")
    start(acme, "k")
    good, bad = claimed(2)

    async def both() -> list[object]:
        return await asyncio.gather(
            written(good.id, 1, "tester", {"fine": True}), written(bad.id, 1, "tester", {"nul": "\x00"})
        )

    (first,), (second,) = asyncio.run(both())
    assert first is None and isinstance(second, Exception)


def test_the_runs_of_an_expired_engine_go_back_to_the_queue(acme: Tenant, settings: object) -> None:
    run = start(acme, "k")
    claimed(1)
    with _lock(1):
        assert sweep() == 0
        settings.ENGINE_LEASE_S = 0.001  # the test's server may be younger than a lease
        Engine.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        assert sweep() == 1
    run.refresh_from_db()
    assert (run.owner, run.deaths) == (None, 1) and not Engine.objects.exists()


def test_an_engine_without_its_lock_is_dead_at_once(acme: Tenant) -> None:
    start(acme, "k")
    claimed(1)
    assert sweep() == 1


@contextmanager
def _lock(key: int) -> Iterator[None]:
    """Hold an engine's lock on the test's own connection."""
    with web_connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [LOCK_CLASS, key])
        yield
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK_CLASS, key])


STEPS_RUN: list[str] = []


@program("test.long")
async def long(ctx: RunContext) -> str:
    """A finished step, then one that waits until it is let go."""

    async def first() -> str:
        STEPS_RUN.append(str(ctx.run.id))
        return "kept"

    kept = await ctx.step("first", first)
    if ctx.run.attempt == 1:
        await ctx.step("second", asyncio.sleep, 60)
    return kept


def test_an_engine_taken_for_dead_lets_go_and_the_run_goes_on(engine: EngineThread, acme: Tenant) -> None:
    run = start(acme, "test.long")
    until(lambda: kinds(run).count("step_started") == 2)
    Engine.objects.all().delete()
    run = ended(run)
    assert (run.status, run.result, run.attempt) == ("completed", "kept", 2)
    assert STEPS_RUN.count(str(run.id)) == 1


def test_a_claim_that_the_engine_never_heard_of_goes_back_at_its_next_heartbeat(
    engine: EngineThread, acme: Tenant, settings: object
) -> None:
    settings.ENGINE_LEASE_S = 0.6
    until(Engine.objects.exists)
    run = Run.all_tenants.create(
        tenant=acme, kind="test.long", owner=Engine.objects.get().owner, status="running", attempt=1
    )
    run = ended(run)
    assert (run.status, run.attempt, run.deaths) == ("completed", 2, 0)


def test_a_drained_engine_gives_its_runs_back(engine: EngineThread, acme: Tenant, settings: object) -> None:
    settings.ENGINE_DRAIN_S = 0.1
    run = start(acme, "test.long")
    until(lambda: kinds(run).count("step_started") == 2)
    engine.drain()
    run.refresh_from_db()
    assert (run.status, run.owner, run.deaths) == ("running", None, 0) and run.due_at <= timezone.now()
    assert not Engine.objects.exists()
