"""The asyncio engine that a Celery worker process hosts: it claims batches of runs, drives their programs, and drains.

One engine per process, on a loop of its own (celery_host.py starts it). Its PostgreSQL connections are its own too: one
that holds the advisory lock, beats, claims and sweeps (lease.py); one for reservations and inboxes (services.py); one
for the journal; two for shared reads.
"""

import asyncio
import contextlib
import logging
import os
import random
import socket
import time
import uuid

import psycopg
from django.conf import settings

from config.processes.task_supervisor import keep_running
from orchestration.engine import claims
from orchestration.engine.claims import ClaimLimits
from orchestration.engine.driver import drive
from orchestration.engine.held_run import HeldRun, HeldRuns
from orchestration.engine.isolation import IDLE_S, MAX_SUSPECTS, Isolation
from orchestration.engine.journal.connection import EngineConnection
from orchestration.engine.journal.connections import connect
from orchestration.engine.journal.journal import Journal
from orchestration.engine.lease import Lease
from orchestration.engine.metrics import CLAIM_SECONDS, CLAIMED_RUNS
from orchestration.engine.notifier import Notifier
from orchestration.engine.services import Services
from orchestration.engine.suspects import claim_suspects, suspects_wait
from orchestration.pacer import ClaimPacer, CommitPacer
from orchestration.program.context import RunContext
from orchestration.program.journal_entry import Entry
from orchestration.program.run_info import RunInfo

log = logging.getLogger(__name__)
STOP_S = 5  # for the last writes of runs that a drain has stopped


class Engine:
    """The loop: claims and drives runs until it drains."""

    def __init__(self, worker: str = "", isolation: Isolation | None = None, solitary: bool = False) -> None:
        """`worker`: the life of the worker that this process belongs to. `isolation`: where suspects are run.
        `solitary`: here, and nothing else.
        """
        self.name = f"{socket.gethostname()[:24]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.isolation, self.solitary = isolation, solitary
        self.slots = MAX_SUSPECTS if solitary else settings.ENGINE_SLOTS
        self.busy_at = time.monotonic()  # a solitary engine: when it last had a run
        self.runs = HeldRuns()
        self.wake_event = asyncio.Event()
        self.draining = False
        self.has_messages = False  # some run of ours may have something new in its inbox
        self.turns = 0  # that went well: the host's watchdog looks whether there are more
        self.polled_at = 0.0
        self.pacer = ClaimPacer()
        self.lease = Lease(self.name, worker, self.slots, solitary, self.runs)
        self.lease.on_register = self._expect_messages
        self.notifier = Notifier(self.wake)
        self.journal = Journal(connect, self.name, self._publish, CommitPacer(self.runs.__len__))
        self.services = Services(self.lease, self.notifier, self.journal)

    async def run(self) -> None:
        """Claim and drive until drained."""
        self.notifier.start()
        try:
            await keep_running("engine", self._work)
            await self._drain()
        finally:
            await self._close()

    async def _work(self) -> None:
        while not self.draining:
            self.wake_event.clear()
            try:
                has_more = await self._turn()
            except psycopg.Error as fault:
                log.warning("engine %s lost PostgreSQL: %s", self.name, str(fault).strip().split("\n")[0])
                await self.lease.disconnect()
                has_more = False
            except Exception:  # what was claimed without our knowing is given back as we register again
                await self.lease.disconnect()
                raise
            self.turns += 1
            if not has_more:
                await self._rest()

    async def _turn(self) -> bool:
        """One look at everything; True when there may be more to claim at once."""
        connection = await self.lease.connect()
        await self._do_chores(connection)
        free = self.slots - len(self.runs)
        if free <= 0 or self.draining:
            return False
        max_runs = min(free, settings.ENGINE_CLAIM_BATCH)
        caps = settings.ENGINE_TENANT_CAP, settings.ENGINE_KIND_CAPS, settings.ENGINE_MAX_DEATHS
        limits = ClaimLimits(max_runs, *caps, user_cap=settings.TASKS_PER_USER)
        self.pacer.begin()
        with CLAIM_SECONDS.time():
            if self.solitary:
                own = [held_run.run for held_run in self.runs.values()]
                runs = await claim_suspects(connection, self.name, limits, own)
            else:
                runs = await claims.claim(connection, self.name, limits)
        if runs:
            self.pacer.count(len(runs))
            CLAIMED_RUNS.inc(len(runs))
        for run in runs:
            self._start(run)
        return len(runs) == max_runs and not self.solitary

    async def _do_chores(self, connection: EngineConnection) -> None:
        """What is due besides claiming: the heartbeat, messages, dead engines, runs to give back."""
        if self.lease.is_beat_due():
            await self.lease.beat(connection, self.draining)
        is_poll_due = time.monotonic() - self.polled_at > settings.ENGINE_POLL_S * 0.7
        has_messages, self.has_messages = self.has_messages, False
        if (has_messages or is_poll_due) and self.runs:
            await self._deliver_messages(connection)
        if is_poll_due:
            self.polled_at = time.monotonic()
            await self.lease.sweep(connection)
            await self._isolate_suspects(connection)
        await self.lease.give_back_broken(connection)

    async def _isolate_suspects(self, connection: EngineConnection) -> None:
        """Have those that wait run apart; a solitary engine ends when there are none for a while."""
        if self.solitary:
            self.busy_at = time.monotonic() if self.runs else self.busy_at
            self.draining = self.draining or time.monotonic() - self.busy_at > IDLE_S
        elif self.isolation is not None and await suspects_wait(connection, settings.ENGINE_MAX_DEATHS):
            self.isolation.start()

    async def _deliver_messages(self, connection: EngineConnection) -> None:
        """Hand to our runs what has come for them: a cancel, signals, approvals, ends of children."""
        rows = await claims.take_notified(connection, self.name)
        for run_id, cancel in rows:
            if cancel and (held_run := self.runs.get(run_id)):
                held_run.stop("cancel")
        ids = [run_id for run_id, cancel in rows if not cancel and run_id in self.runs]
        for run_id, inbox in (await claims.load_inboxes(connection, ids)).items() if ids else ():
            if held_run := self.runs.get(run_id):
                held_run.ctx.deliver(inbox)

    async def _rest(self) -> None:
        """Until a wake, or the poll: the net under lost wakes."""
        if (delay := self.pacer.delay(len(self.runs))) > 0:
            await asyncio.sleep(delay)
        poll = settings.ENGINE_POLL_S * random.uniform(0.75, 1.25)  # noqa: S311
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(poll):
                await self.wake_event.wait()

    def wake(self, notify: bool = False) -> None:
        """Look again now; `notify`: also at the inboxes of our runs."""
        self.has_messages = self.has_messages or notify
        self.wake_event.set()

    def _expect_messages(self) -> None:
        self.has_messages = True

    def _start(self, run: RunInfo) -> None:
        held_run = HeldRun(run, RunContext(self.services, run, lambda: self._put_down(run.id)))
        self.runs[run.id] = held_run
        held_run.task = asyncio.create_task(drive(held_run), name=f"run {run.id}")
        held_run.task.add_done_callback(lambda _: self._forget(run))

    def _forget(self, run: RunInfo) -> None:
        held_run = self.runs.get(run.id)
        if held_run and held_run.run is run:
            del self.runs[run.id]
        if len(self.runs) >= self.slots - settings.ENGINE_CLAIM_BATCH or self.draining:
            self.wake_event.set()

    def _put_down(self, run_id: uuid.UUID) -> None:
        if held_run := self.runs.get(run_id):
            held_run.put_down()

    async def _publish(self, entries: list[Entry], parents: list[uuid.UUID]) -> None:
        """Publish which runs have changed; engines are notified of children that have ended."""
        if parents:
            self.wake(notify=True)
        self.notifier.publish_changes(entries, notify=bool(parents))

    def drain(self) -> None:
        """Stop claiming; runs go on for a while."""
        self.draining = True
        self.wake()

    async def _drain(self) -> None:
        """Let the runs finish for a while, then put down the rest: another engine goes on with them."""
        log.info("engine %s drains %d runs", self.name, len(self.runs))
        if self.isolation is not None:
            isolation_end = asyncio.get_running_loop().run_in_executor(None, self.isolation.stop)
        end = time.monotonic() + settings.ENGINE_DRAIN_S
        while self.runs and time.monotonic() < end:
            with contextlib.suppress(psycopg.Error):
                await self.lease.beat(await self.lease.connect(), self.draining)
                await self._deliver_messages(await self.lease.connect())
            self.wake_event.clear()
            await self._rest()
        tasks = [held_run.task for held_run in self.runs.values() if held_run.task]
        self.runs.stop_all("drain")
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_S)
        if self.isolation is not None:
            await isolation_end

    async def _close(self) -> None:
        await self.journal.close()
        await self.lease.end()
        await self.notifier.close()  # wakes the others: what we gave back waits for them
        if self.lease.connection is not None:
            await self.lease.connection.close()
        await self.services.close()
