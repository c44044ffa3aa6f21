"""Fenced group commit: everything that a process's runs want written goes out in few, large transactions.

What waits is committed, in its order, in ONE transaction on a connection of the journal's own. Every row is fenced by
(run, owner, attempt): a stale engine writes nothing. A batch that fails is retried run by run, so that one bad row
hurts one run. What changed is published after the commit. A second connection would cost: half as many runs per
transaction, and more transactions than PostgreSQL gains from their running at once (docs/decisions/002).
"""

import asyncio
import contextlib
import itertools
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import psycopg

from config.processes.task_supervisor import start_task
from orchestration.engine.journal.connection import EngineConnection
from orchestration.engine.journal.connections import RECONNECT, replan
from orchestration.engine.journal.statements import RELATIVES, statements
from orchestration.engine.metrics import BATCH_ENTRIES, COMMIT_SECONDS
from orchestration.pacer import CommitPacer
from orchestration.program.journal_entry import Entry, LeaseLost

log = logging.getLogger(__name__)
MAX_BATCH = 400

Publish = Callable[[list[Entry], list[UUID]], Awaitable[None]]


class Journal:
    """The writer of one engine: `write(entry)` returns when that entry is committed, or raises LeaseLost."""

    def __init__(
        self, connect: Callable[[], Awaitable[EngineConnection]], owner: str, publish: Publish, pacer: CommitPacer
    ) -> None:
        self.connect, self.owner, self.publish, self.pacer = connect, owner, publish, pacer
        self.waiting: deque[Entry] = deque()
        self.event = asyncio.Event()
        self.connection: EngineConnection | None = None
        self.closing = False
        self.task = start_task("journal", self._run)

    def write(self, entry: Entry) -> "asyncio.Future[None]":
        """Queue the entry; the future ends with its commit."""
        self.waiting.append(entry)
        self.event.set()
        return entry.commit

    async def close(self) -> None:
        """Commit what waits, then close the connection."""
        self.closing = True
        self.event.set()
        await self.task
        if self.connection:
            await self.connection.close()

    async def _run(self) -> None:
        while True:
            while self.waiting:
                if self.pacer.is_busy() and not self.closing:
                    await asyncio.sleep(self.pacer.delay())
                self.pacer.begin()
                batch = [self.waiting.popleft() for _ in range(min(len(self.waiting), MAX_BATCH))]
                try:
                    await self._commit(batch)
                finally:
                    _release_callers(batch)
            if self.closing:
                return
            await self.event.wait()
            self.event.clear()

    async def _commit(self, batch: list[Entry]) -> None:
        try:
            run_ids = await self._persist(batch)
        except Exception as fault:  # the journal must outlive whatever one run wants written
            log.warning("a journal batch of %d failed (%s); its runs are written one by one", len(batch), fault)
            for run_id in dict.fromkeys(entry.run_id for entry in batch):
                await self._commit_run([entry for entry in batch if entry.run_id == run_id])
            return
        await self._finish(batch, run_ids)

    async def _commit_run(self, entries: list[Entry]) -> None:
        for at, entry in enumerate(entries):
            try:
                run_ids = await self._persist([entry], again=True)
            except Exception as fault:
                for late in entries[at:]:  # a later row without the earlier one would be a gap
                    self._fail(late, fault)
                return
            await self._finish([entry], run_ids)

    def _fail(self, entry: Entry, fault: Exception) -> None:
        log.error("run %s could not be journalled: %s", entry.run_id, fault)
        if not entry.commit.done():
            entry.commit.set_exception(fault)

    async def _finish(self, batch: list[Entry], run_ids: set[UUID]) -> None:
        """Answer the callers, and notify followers and the parents of runs that ended; `run_ids` were ours to write."""
        entries = [entry for entry in batch if entry.run_id in run_ids]
        for entry in batch:
            if entry.commit.done():
                continue
            if entry.run_id in run_ids:
                entry.commit.set_result(None)
            else:
                entry.commit.set_exception(LeaseLost(entry.run_id))
        parents = [entry.parent_id for entry in entries if entry.parent_id and entry.close and entry.close["final"]]
        if parents:
            with contextlib.suppress(psycopg.Error):  # the parent also looks by itself, later
                values = {"parents": parents}
                await self._connected(lambda at: at.execute(RELATIVES["notify_parents"], values))
        await self.publish(entries, parents)

    async def _persist(self, batch: list[Entry], again: bool = False) -> set[UUID]:
        """The ids of the runs that were ours to write. A lost connection is made again, however long it takes."""
        tries = itertools.count()
        return await self._connected(lambda at: self._transaction(at, batch, again or next(tries) > 0))

    async def _connected(self, work: Callable[[EngineConnection], Awaitable[Any]]) -> Any:
        for failures in itertools.count(1):
            try:
                if self.connection is None or self.connection.closed:
                    self.connection = await self.connect()
                return await work(self.connection)
            except (psycopg.OperationalError, psycopg.InterfaceError) as fault:
                if isinstance(fault, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure):
                    continue
                log.warning("the journal lost PostgreSQL, trying again: %s", str(fault).strip().split("\n")[0])
                if self.connection is not None:
                    await self.connection.close()
                await asyncio.sleep(RECONNECT.delay(failures))
        raise AssertionError("unreachable")

    async def _transaction(self, connection: EngineConnection, batch: list[Entry], again: bool) -> set[UUID]:
        plans = replan(connection)
        BATCH_ENTRIES.observe(len(batch))
        with COMMIT_SECONDS.time():
            rows = await connection.execute_transaction([*plans, *statements(batch, self.owner, again)])
        return {row["id"] for row in rows[len(plans)]}


def _release_callers(batch: list[Entry]) -> None:
    """Nobody waits for ever: where it is not known what became of an entry, its run is taken up again from what is on
    record. Mostly nothing is left to do.
    """
    for entry in batch:
        if not entry.commit.done():
            entry.commit.set_exception(LeaseLost(entry.run_id))
