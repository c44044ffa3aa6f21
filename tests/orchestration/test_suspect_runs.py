"""A run answers only for a death in which it ran alone: suspects run in a process of their own, and what they are
suspected of hurts nobody else.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import psycopg
import pytest
from django.utils import timezone

from accounts.models import Tenant
from config.database.address import direct_parameters
from orchestration.engine.lease import are_runs_orphaned, sweep
from orchestration.engine.services import Services
from orchestration.models import Engine, EngineDeath, Run
from orchestration.program.context import RunContext
from orchestration.program.registry import program
from tests.orchestration.running import LOCK_CLASS, EngineThread, ended, kinds, start, until
from tests.orchestration.test_claim_fairly import claimed

MAX_SHARED_DEATHS = 10  # from then on a run is a suspect, whatever died beside it (orchestration/engine/sql/lease.sql)


@contextmanager
def living(owner: str, key: int, worker: str = "", minutes: int = 0) -> Iterator[None]:
    """An engine that lives, started so many minutes ago."""
    end = timezone.now() + timedelta(minutes=10)
    engine = Engine.objects.create(owner=owner, lock_key=key, host="h", pid=1, slots=1, worker=worker, lease_until=end)
    Engine.objects.filter(pk=owner).update(started_at=timezone.now() - timedelta(minutes=minutes))
    with psycopg.connect(**direct_parameters(), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s, %s)", [LOCK_CLASS, key])
        yield
    engine.delete()


def die(*runs: Run, owner: str = "dead", worker: str = "", solitary: bool = False) -> tuple[int, int, int]:
    """(deaths, suspect_deaths, held_against) of the first run, after the engine that had all of them has died."""
    assert len(claimed(len(runs), owner=owner, worker=worker, solitary=solitary)) == len(runs)
    assert sweep() >= len(runs)
    runs[0].refresh_from_db()
    assert runs[0].owner is None and runs[0].due_at <= timezone.now()
    return runs[0].deaths, runs[0].suspect_deaths, runs[0].held_against


def test_a_storm_that_leaves_no_engine_tells_nothing_about_the_runs(acme: Tenant) -> None:
    runs = [start(acme, "k"), start(acme, "k")]
    for number in range(1, 7):
        assert die(*runs) == (number, 0, 0)
    assert EngineDeath.objects.count() == 6


def test_engines_of_the_same_worker_that_die_at_once_are_one_storm(acme: Tenant) -> None:
    runs = [start(acme, "k"), start(acme, "k")]
    assert len(claimed(1, owner="one", worker="w")) == len(claimed(1, owner="two", worker="w")) == 1
    assert sweep() == 2
    assert {(run.deaths, run.suspect_deaths, run.held_against) for run in Run.all_tenants.all()} == {(1, 0, 0)}
    assert len(claimed(2, owner="both", worker="w")) == len(runs)
    with living("new", 7, worker="next life"):  # which has been started since
        assert sweep() == 2
    assert {(run.deaths, run.suspect_deaths, run.held_against) for run in Run.all_tenants.all()} == {(2, 0, 0)}


@pytest.mark.parametrize("sibling", [True, False])
def test_a_death_that_others_outlive_makes_its_runs_suspects(acme: Tenant, sibling: bool) -> None:
    """Others of the same worker, a process that it has started since included; and those that were there before."""
    runs = [start(acme, "k"), start(acme, "k")]
    with living("other", 7, worker="w" if sibling else "v", minutes=0 if sibling else 30):
        assert die(*runs, worker="w") == (1, 1, 0)
        assert die(*runs, worker="w") == (2, 2, 0)
        assert claimed(2, owner="third") == []


def test_a_run_answers_for_a_death_in_which_it_ran_alone(acme: Tenant) -> None:
    run = start(acme, "k")
    assert [die(run), die(run), die(run)] == [(1, 0, 1), (2, 0, 2), (3, 0, 3)]


def test_a_suspect_answers_for_the_death_of_its_solitary_engine_whatever_dies_beside_it(acme: Tenant) -> None:
    suspect, other = start(acme, "k"), start(acme, "k")
    Run.all_tenants.filter(pk=suspect.pk).update(deaths=2, suspect_deaths=2)
    assert len(claimed(1, owner="beside")) == 1
    assert die(suspect, solitary=True) == (3, 2, 1)
    other.refresh_from_db()
    assert (other.deaths, other.suspect_deaths, other.held_against) == (1, 0, 0)


def suspects(acme: Tenant, *deaths: int) -> list[Run]:
    """Runs that have seen so many deaths which others outlived."""
    runs = [start(acme, "k") for _ in deaths]
    for run, number in zip(runs, deaths, strict=True):
        Run.all_tenants.filter(pk=run.pk).update(deaths=number, suspect_deaths=number)
    return runs


def test_suspects_run_together_until_their_process_dies_then_each_alone(acme: Tenant) -> None:
    one, _ = runs = suspects(acme, 2, 2)
    with living("other", 7, minutes=30):
        assert die(*runs, solitary=True) == (3, 3, 0)
        assert claimed(2, owner="apart", solitary=True) == []
        assert len(claimed(1, owner="apart", solitary=True, alone=True)) == 1
        assert sweep() == 1
        assert sorted(Run.all_tenants.values_list("held_against", flat=True)) == [0, 1]
        Run.all_tenants.filter(held_against=1).update(held_against=2)  # dies alone once more
        assert len(claimed(5, owner="apart", solitary=True, alone=True)) == 1, "the other one has its turn"
        assert len(claimed(5, owner="ordinary")) == 1, "it is given up by whoever writes its end"


def test_nobody_joins_suspects_while_one_waits_that_must_run_alone(acme: Tenant) -> None:
    together, alone = suspects(acme, 2, 3)
    assert claimed(5, owner="apart", solitary=True) == []
    assert [run.id for run in claimed(1, owner="apart", solitary=True, alone=True)] == [alone.pk]
    assert [run.id for run in claimed(5, owner="another", solitary=True)] == [together.pk]


def test_suspects_keep_the_caps_of_their_tenant(acme: Tenant) -> None:
    suspects(acme, 2, 2, 2)
    assert len(claimed(5, owner="apart", solitary=True, tenant_cap=2)) == 2
    assert claimed(5, owner="another", solitary=True, tenant_cap=2) == []


def test_who_was_there_at_very_many_deaths_is_a_suspect_all_the_same(acme: Tenant) -> None:
    runs = [start(acme, "k"), start(acme, "k")]
    Run.all_tenants.update(deaths=MAX_SHARED_DEATHS - 2)
    assert die(*runs) == (MAX_SHARED_DEATHS - 1, 0, 0)
    assert die(*runs) == (MAX_SHARED_DEATHS, 2, 0)


# ---- what engines do with suspects

STEPS: list[str] = []


@program("test.suspect")
async def two_steps(ctx: RunContext) -> str:
    async def note(name: str) -> str:
        assert isinstance(ctx.engine, Services)
        STEPS.append(f"{name} by {'a solitary' if ctx.engine.lease.solitary else 'an ordinary'} engine")
        return name

    async def branch(name: str) -> str:
        return await ctx.step(name, note, name)

    await ctx.gather(branch("left"), branch("right"))
    return await ctx.step("last", note, "last")


class Request:
    """Where suspects are run: notes that it was asked to."""

    def __init__(self) -> None:
        self.started = self.stopped = 0

    def start(self) -> None:
        self.started += 1

    def stop(self) -> None:
        self.stopped += 1


def test_a_suspect_that_finishes_a_step_alone_goes_on_among_the_others(acme: Tenant) -> None:
    STEPS.clear()
    run = start(acme, "test.suspect")
    Run.all_tenants.filter(pk=run.pk).update(deaths=2, suspect_deaths=2, held_against=2)
    isolation = Request()
    with ExitStack() as engines:
        ordinary = EngineThread(isolation=isolation)
        engines.callback(ordinary.drain)
        until(lambda: isolation.started)
        assert Run.all_tenants.get(pk=run.pk).attempt == 0
        alone = EngineThread(solitary=True)
        engines.callback(alone.drain)
        run = ended(run)
    assert (run.status, run.result, run.deaths, run.held_against, run.suspect_deaths) == ("completed", "last", 0, 0, 0)
    assert STEPS[0] == "left by a solitary engine" and STEPS[-1] == "last by an ordinary engine"
    assert len(STEPS) == 3 and run.attempt == 2 and isolation.stopped == 1


def test_a_solitary_engine_ends_when_no_suspect_is_left(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.engine.engine.IDLE_S", 0.3)
    start(acme, "k")
    alone = EngineThread(solitary=True)
    alone.thread.join(20)
    assert not alone.thread.is_alive() and not Engine.objects.exists()
    assert Run.all_tenants.get().attempt == 0


def test_a_run_that_has_ended_three_engines_alone_fails(acme: Tenant) -> None:
    run = start(acme, "test.suspect")
    Run.all_tenants.filter(pk=run.pk).update(deaths=5, suspect_deaths=5, held_against=3, attempt=5, status="running")
    engine = EngineThread()
    run = ended(run)
    assert (run.status, run.failure_reason) == ("failed", "worker_lost") and kinds(run)[-1] == "run_failed"
    assert "died 5 times" in run.result["error"] and "3 times with no other" in run.result["error"]
    engine.drain()


def test_runs_are_orphaned_while_no_engine_lives(acme: Tenant) -> None:
    start(acme, "k")
    assert not are_runs_orphaned()
    claimed(1)
    assert are_runs_orphaned()
    with living("alive", 9):
        assert not are_runs_orphaned()


def test_waiting_branches_are_put_down_with_one_that_is_handed_over(acme: Tenant) -> None:
    run = start(acme, "test.waits_beside")
    Run.all_tenants.filter(pk=run.pk).update(deaths=2, suspect_deaths=2)
    alone = EngineThread(solitary=True)
    until(lambda: Run.all_tenants.get(pk=run.pk).suspect_deaths == 0 and Run.all_tenants.get(pk=run.pk).owner is None)
    alone.drain()
    ordinary = EngineThread()
    assert ended(run).result == ["one", "two"]
    ordinary.drain()


@program("test.waits_beside")
async def waits_beside(ctx: RunContext) -> list[str]:
    async def wait() -> None:
        await ctx.sleep("nap", 2)

    async def work() -> list[str]:
        return [await ctx.step(name, lambda name=name: name) for name in ("one", "two")]

    _, found = await ctx.gather(wait(), work())
    return list(found)
