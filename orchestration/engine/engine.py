"""The asyncio engine that a Celery worker process hosts: it claims batches of runs, drives their programs, and drains.

One engine per process, on a loop of its own (host.py starts it). Its PostgreSQL connections are its own too: one that
holds the advisory lock, beats, claims and sweeps; one for reservations and inboxes; one for the journal; two for shared
reads.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import random
import socket
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import psycopg
from django.conf import settings

from config.processes.task_supervisor import keep_running
from config.rate_limits.limiter import Pace
from governance.budgets import reservations
from governance.budgets.reservations import Bill, ReservationRequest
from orchestration.engine import claims, notifier
from orchestration.engine.claims import ClaimLimits
from orchestration.engine.driver import drive
from orchestration.engine.held_run import Held
from orchestration.engine.journal.connection import EngineConnection
from orchestration.engine.journal.connections import DatabaseLost, close_connections, connect, in_loader
from orchestration.engine.journal.journal import RECONNECT_S, Journal
from orchestration.engine.journal.shared_reads import SharedReads
from orchestration.engine.metrics import CLAIM_SECONDS, CLAIMED_RUNS
from orchestration.engine.pacer import Pacer, is_busy
from orchestration.engine.solitary_process import IDLE_S, MAX_SUSPECTS, Isolation
from orchestration.engine.suspects import claim_suspects
from orchestration.program import children
from orchestration.program.context import RunContext
from orchestration.program.journal_entry import Entry
from orchestration.program.registry import CLOSE
from orchestration.program.run_info import Inbox, RunInfo

log = logging.getLogger(__name__)
STEP_THREADS = 8
LOADER_THREADS = 2
CUT_OFF = (psycopg.errors.TransactionTimeout, psycopg.errors.IdleInTransactionSessionTimeout)  # it ended the session
LOST = (psycopg.OperationalError, psycopg.InterfaceError, *CUT_OFF)


class Engine:
    """Claims and drives runs until it is told to drain."""

    def __init__(self, worker: str = "", isolation: Isolation | None = None, solitary: bool = False) -> None:
        """`worker`: the life of the worker that this process belongs to. `isolation`: where suspects are run.
        `solitary`: here, and nothing else.
        """
        self.name = f"{socket.gethostname()[:24]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.worker, self.isolation, self.solitary = worker, isolation, solitary
        self.slots = MAX_SUSPECTS if solitary else settings.ENGINE_SLOTS
        self.busy_at = time.monotonic()  # a solitary engine: when it last had a run
        self.held: dict[uuid.UUID, Held] = {}
        self.wake = asyncio.Event()
        self.draining = False
        self.poked = False
        self.broken: list[uuid.UUID] = []
        self.taken: list[dict[str, Any]] = []  # runs that others took from us since we last registered
        self.turns = 0  # that went well: the host's watchdog looks whether there are more
        self.looked_at = 0.0
        self.pacer = Pacer()
        self.registered_with: EngineConnection | None = None
        self.beat_at = 0.0
        self.beaten = asyncio.Event()
        self.main: EngineConnection | None = None
        self.aux: EngineConnection | None = None
        self.aux_lock = asyncio.Lock()
        self.steps_pool = ThreadPoolExecutor(STEP_THREADS, "step")
        self.loader_pool = ThreadPoolExecutor(LOADER_THREADS, "loader")
        self.reads = SharedReads(self._load)
        self.bell = notifier.Listener(self.ring)
        self.model_pace = Pace(self.bell.client)
        self.journal = Journal(connect, self.name, self._publish, lambda: is_busy(len(self.held)))

    # ---- the loop

    async def run(self) -> None:
        """Claim and drive until drained."""
        self.bell.start()
        try:
            await keep_running("engine", self._work)
            await self._drain()
        finally:
            await self._close()

    async def _work(self) -> None:
        while not self.draining:
            self.wake.clear()
            try:
                more = await self._turn()
            except psycopg.Error as fault:
                log.warning("engine %s lost PostgreSQL: %s", self.name, str(fault).strip().split("\n")[0])
                await self._drop_main()
                more = False
            except Exception:  # what was claimed without our knowing is given back as we register again
                await self._drop_main()
                raise
            self.turns += 1
            if not more:
                await self._rest()

    async def _turn(self) -> bool:
        """One look at everything; True when there may be more to claim at once."""
        connection = await self._main()
        await self._look_after(connection)
        free = self.slots - len(self.held)
        if free <= 0 or self.draining:
            return False
        most = min(free, settings.ENGINE_CLAIM_BATCH)
        caps = settings.ENGINE_TENANT_CAP, settings.ENGINE_KIND_CAPS, settings.ENGINE_MAX_DEATHS
        limits = ClaimLimits(most, *caps, user_cap=settings.TASKS_PER_USER, solitary=self.solitary)
        self.pacer.claim()
        with CLAIM_SECONDS.time():
            if self.solitary:
                runs = await claim_suspects(connection, self.name, limits, [held.run for held in self.held.values()])
            else:
                runs = await claims.claim(connection, self.name, limits)
        if runs:
            self.pacer.bring(len(runs))
            CLAIMED_RUNS.inc(len(runs))
        for run in runs:
            self._start(run)
        return len(runs) == most and not self.solitary

    async def _look_after(self, connection: EngineConnection) -> None:
        """What is due besides claiming: the heartbeat, pokes, dead engines, runs to give back."""
        if time.monotonic() - self.beat_at > settings.ENGINE_LEASE_S / 3:
            await self._beat(connection)
        polls = time.monotonic() - self.looked_at > settings.ENGINE_POLL_S * 0.7
        poked, self.poked = self.poked, False
        if (poked or polls) and self.held:
            await self._look_at_poked(connection)
        if polls:
            self.looked_at = time.monotonic()
            await connection.execute(claims.SWEEP, {"lease": settings.ENGINE_LEASE_S})
            await self._look_for_suspects(connection)
        if self.broken:
            broken = list(self.broken)
            await connection.execute(claims.BROKEN, [self.name, broken])
            del self.broken[: len(broken)]

    async def _look_for_suspects(self, connection: EngineConnection) -> None:
        """Have those that wait run apart; a solitary engine ends when there are none for a while."""
        if self.solitary:
            self.busy_at = time.monotonic() if self.held else self.busy_at
            self.draining = self.draining or time.monotonic() - self.busy_at > IDLE_S
        elif self.isolation is not None:
            limit = {"max_deaths": settings.ENGINE_MAX_DEATHS}
            (found,) = await (await connection.execute(claims.SUSPECTS_WAIT, limit)).fetchall()
            if found[0]:
                self.isolation.start()

    def hands_over(self, run: RunInfo) -> bool:
        """Whether the run goes on elsewhere: it has finished a step here, and is no suspect any more."""
        return self.solitary and not run.deaths

    async def _rest(self) -> None:
        """Until a ring, or the poll: the net under lost rings."""
        if (left := self.pacer.pause(len(self.held))) > 0:
            await asyncio.sleep(left)
        poll = settings.ENGINE_POLL_S * random.uniform(0.75, 1.25)  # noqa: S311
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(poll):
                await self.wake.wait()

    def ring(self, poke: bool = False) -> None:
        """Look again now."""
        self.poked = self.poked or poke
        self.wake.set()

    def _start(self, run: RunInfo) -> None:
        held = self.held[run.id] = Held(run, RunContext(self, run, lambda: self._put_down(run.id)))
        held.task = asyncio.create_task(drive(held), name=f"run {run.id}")
        held.task.add_done_callback(lambda _: self._ended(run))

    def _ended(self, run: RunInfo) -> None:
        held = self.held.get(run.id)
        if held and held.run is run:
            del self.held[run.id]
        if len(self.held) >= self.slots - settings.ENGINE_CLAIM_BATCH or self.draining:
            self.wake.set()

    def _put_down(self, run_id: uuid.UUID) -> None:
        if held := self.held.get(run_id):
            held.due, held.paused = held.ctx.branches.due, held.ctx.branches.paused
            held.stop("put_down")

    def lose(self, run_id: uuid.UUID, broken: bool = False) -> None:
        """A write of this run was refused: somebody else holds it, or (broken) it must be given back as if we had
        died.
        """
        if held := self.held.get(run_id):
            held.stop("lost")
            self.taken += [] if broken else [{"id": str(run_id), "attempt": held.run.attempt}]
        if broken:
            self.broken.append(run_id)

    # ---- the lease

    async def _main(self) -> EngineConnection:
        if self.main is None or self.main.closed:
            self.main = await connect()
            self.beat_at = 0.0
        if self.registered_with is not self.main:
            await self._register(self.main)
            self.registered_with = self.main
        return self.main

    async def _register(self, connection: EngineConnection) -> None:
        """Take the lock whose loss tells of our death, then say that we are here."""
        key = random.getrandbits(31)  # noqa: S311
        await connection.execute("SELECT pg_advisory_lock(%s, %s)", [claims.LOCK_CLASS, key])
        who = {"owner": self.name, "key": key, "host": socket.gethostname(), "pid": os.getpid()}
        who |= {"worker": self.worker, "solitary": self.solitary}
        more = {"slots": self.slots, "lease": settings.ENGINE_LEASE_S}
        sent_at = time.monotonic()
        await connection.execute(claims.REGISTER, who | more)
        taken, self.taken = self.taken, []
        held = orjson.dumps(self._holds() + taken).decode()
        await connection.execute(claims.ALIVE, {"owner": self.name, "held": held})
        await self._reconcile(connection)
        await connection.execute(claims.REPOKE, [self.name])
        self.poked = True
        self._has_beaten(sent_at)

    def _holds(self) -> list[dict[str, Any]]:
        return [{"id": str(held.run.id), "attempt": held.run.attempt} for held in self.held.values()]

    async def _reconcile(self, connection: EngineConnection) -> None:
        """Give back what is ours without our knowing. Claims go over this connection too, so none is under way."""
        values = {"owner": self.name, "held": orjson.dumps(self._holds()).decode(), "broken": list(self.broken)}
        await connection.execute(claims.RECONCILE, values)

    def _has_beaten(self, sent_at: float) -> None:
        self.beat_at = sent_at
        self.beaten.set()

    async def _beat(self, connection: EngineConnection) -> None:
        sent_at = time.monotonic()  # not when the answer is read: we may have been frozen in between
        values = {"owner": self.name, "lease": settings.ENGINE_LEASE_S, "running": len(self.held)}
        beaten = await connection.execute(claims.BEAT, values | {"draining": self.draining})
        if not beaten.rowcount:  # we were taken for dead: what we hold is somebody else's by now
            log.warning("engine %s was taken for dead; it lets go of %d runs", self.name, len(self.held))
            for held in list(self.held.values()):
                held.stop("lost")
            await self._register(connection)
        else:
            self._has_beaten(sent_at)
            await self._reconcile(connection)

    async def confirm_lease(self) -> None:
        """Return once our last heartbeat is younger than a lease: what was frozen for longer must not act before it
        knows whether its runs are still its own.
        """
        while time.monotonic() - self.beat_at > settings.ENGINE_LEASE_S:
            self.beaten.clear()
            await self.beaten.wait()

    async def _look_at_poked(self, connection: EngineConnection) -> None:
        rows = await (await connection.execute(claims.POKED, [self.name])).fetchall()
        for run_id, cancel in rows:
            if cancel and (held := self.held.get(run_id)):
                held.stop("cancel")
        ids = [run_id for run_id, cancel in rows if not cancel and run_id in self.held]
        for run_id, inbox in (await claims.load_inboxes(connection, ids)).items() if ids else ():
            if held := self.held.get(run_id):
                held.ctx.deliver(inbox)

    # ---- what contexts ask for

    def write(self, entry: Entry) -> "asyncio.Future[None]":
        """Queue the entry for the journal."""
        return self.journal.write(entry)

    async def pace(self, user: str) -> None:
        """Return when this user may make one more model call."""
        await self.model_pace.wait(user)

    async def shared(self, key: tuple[Any, ...], loader: Callable[[], Any]) -> Any:
        """The loader's value, shared by all who ask at the time."""
        return await self.reads.get(key, loader)

    def text_writer(self, run_id: uuid.UUID, step: str) -> Callable[[str], None]:
        """What publishes the pieces of a step's text."""
        return self.bell.speaker(run_id, step)

    async def in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        """The result of a sync step function."""
        return await asyncio.get_running_loop().run_in_executor(self.steps_pool, function, *args)

    async def database(self, work: Callable[[], Any]) -> Any:
        """What the sync `work` gives, run in a thread where the ORM is fine.

        When PostgreSQL goes away it is done again, so it must be of the kind that may be: a read, or keyed by its step.
        """
        return await self._load(work)

    async def _load(self, loader: Callable[[], Any]) -> Any:
        loop = asyncio.get_running_loop()
        for tries in itertools.count():
            try:
                return await loop.run_in_executor(self.loader_pool, in_loader, loader)
            except DatabaseLost:
                await asyncio.sleep(RECONNECT_S[min(tries, len(RECONNECT_S) - 1)])

    async def reserve(self, run: RunInfo, wanted: ReservationRequest) -> Bill:
        """A bill held on the run's budgets and on the standing limits, once what others hold leaves room for it."""
        if not (wanted.budget_ids or wanted.limit_ids):
            return Bill(None, [], 0, 0)
        run.has_limits = True
        while True:
            hold, tries = uuid.uuid4(), itertools.count()

            async def once(connection: EngineConnection, hold: uuid.UUID = hold, tries: Any = tries) -> Bill | None:
                if next(tries):  # the answer to the try before was lost, the hold perhaps not
                    undo = [{"hold_id": str(hold), "micro": 0, "calls": 0}]
                    await connection.execute(reservations.SETTLE, {"bills": orjson.dumps(undo).decode()})
                return await reservations.reserve(connection, wanted, hold)

            bill: Bill | None = await self._with_aux(once)
            if bill is not None:
                return bill
            await reservations.wait_for_release()

    async def release(self, run_id: uuid.UUID) -> None:
        """Give back what a dead engine had reserved for the run."""
        await self._with_aux(lambda connection: connection.execute(reservations.RELEASE, {"runs": [run_id]}))

    async def inbox(self, run_id: uuid.UUID) -> Inbox:
        """What waits for the run now."""
        found = await self._with_aux(lambda connection: claims.load_inboxes(connection, [run_id]))
        return found[run_id]

    async def start_child(self, parent: RunInfo, step: str, *what: Any) -> uuid.UUID:
        """The id of the child run, which is inserted once."""
        id: uuid.UUID = await self._with_aux(lambda at: children.insert(at, self.name, parent, step, *what))
        self.ring()
        return id

    async def _with_aux(self, work: Callable[[EngineConnection], Any]) -> Any:
        """Work on the shared connection, one at a time; once more on a new one when it broke."""
        async with self.aux_lock:
            for tries in itertools.count():
                try:
                    if self.aux is None or self.aux.closed:
                        self.aux = await connect()
                    return await work(self.aux)
                except LOST as fault:
                    if self.aux is not None and not self.aux.closed:
                        if not isinstance(fault, CUT_OFF):
                            raise
                        await self.aux.close()
                    await asyncio.sleep(RECONNECT_S[min(tries, len(RECONNECT_S) - 1)])
        raise AssertionError("unreachable")

    async def _publish(self, entries: list[Entry], parents: list[uuid.UUID]) -> None:
        """Tell followers which runs have changed, and parents of ours that a child has ended."""
        if parents:
            self.ring(poke=True)
        self.bell.tell(entries, poke=bool(parents))

    # ---- the end

    async def _drain(self) -> None:
        """Let the runs finish for a while, then put down the rest: another engine goes on with them."""
        log.info("engine %s drains %d runs", self.name, len(self.held))
        if self.isolation is not None:
            ended = asyncio.get_running_loop().run_in_executor(None, self.isolation.stop)
        end = time.monotonic() + settings.ENGINE_DRAIN_S
        while self.held and time.monotonic() < end:
            with contextlib.suppress(psycopg.Error):
                await self._beat(await self._main())
                await self._look_at_poked(await self._main())
            self.wake.clear()
            await self._rest()
        tasks = [held.task for held in self.held.values() if held.task]
        for held in list(self.held.values()):
            held.stop("drain")
        if tasks:
            await asyncio.wait(tasks, timeout=5)
        if self.isolation is not None:
            await ended

    async def _close(self) -> None:
        await self.journal.close()
        with contextlib.suppress(psycopg.Error):
            connection = await self._main()
            given_back = await connection.execute(claims.GIVE_BACK, [self.name])
            await connection.execute(claims.UNREGISTER, [self.name])
            log.info("engine %s ends; %d runs given back", self.name, given_back.rowcount)
        await self.bell.close()  # rings the others: what we gave back waits for them
        for mine in (self.main, self.aux):
            if mine is not None:
                await mine.close()
        for close in CLOSE:
            await close()
        await asyncio.to_thread(close_connections, self.loader_pool, LOADER_THREADS)
        await asyncio.to_thread(close_connections, self.steps_pool, STEP_THREADS)

    async def _drop_main(self) -> None:
        """Start over with a new connection; our lock went with the old one."""
        if self.main is not None:
            await self.main.close()
        self.main = None
