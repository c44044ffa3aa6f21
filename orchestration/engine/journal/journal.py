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
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import psycopg

from config.processes.task_supervisor import start_task
from orchestration.engine.journal.connection import EngineConnection
from orchestration.engine.journal.connections import replan
from orchestration.engine.journal.statements import POKE, Entry, statements
from orchestration.engine.metrics import BATCH_ENTRIES, COMMIT_SECONDS
from orchestration.program.journal_entry import LeaseLost

log = logging.getLogger(__name__)
MAX_BATCH = 400
MIN_INTERVAL_COMMITS_S = 0.005  # while many runs are under way, a commit gathers for so long
RECONNECT_S = (0.1, 0.2, 0.5, 1.0, 2.0)

Publish = Callable[[list[Entry], list[UUID]], Awaitable[None]]


class Journal:
    """The writer of one engine: `write(entry)` returns when that entry is committed, or raises LeaseLost."""

    def __init__(
        self, connect: Callable[[], Awaitable[EngineConnection]], owner: str, publish: Publish, busy: Callable[[], bool]
    ) -> None:
        self.connect, self.owner, self.publish, self.busy = connect, owner, publish, busy
        self.waiting: deque[Entry] = deque()
        self.bell = asyncio.Event()
        self.connection: EngineConnection | None = None
        self.closing = False
        self.committed_at = 0.0
        self.task = start_task("journal", self._run)

    def write(self, entry: Entry) -> "asyncio.Future[None]":
        """Queue the entry; the future ends with its commit."""
        self.waiting.append(entry)
        self.bell.set()
        return entry.commit

    async def close(self) -> None:
        """Commit what waits, then close the connection."""
        self.closing = True
        self.bell.set()
        await self.task
        if self.connection:
            await self.connection.close()

    async def _run(self) -> None:
        while True:
            while self.waiting:
                if self.busy() and not self.closing:
                    await asyncio.sleep(max(MIN_INTERVAL_COMMITS_S - (time.monotonic() - self.committed_at), 0))
                self.committed_at = time.monotonic()
                batch = [self.waiting.popleft() for _ in range(min(len(self.waiting), MAX_BATCH))]
                try:
                    await self._commit(batch)
                finally:
                    _let_go(batch)
            if self.closing:
                return
            await self.bell.wait()
            self.bell.clear()

    async def _commit(self, batch: list[Entry]) -> None:
        try:
            held = await self._persist(batch)
        except Exception as fault:  # the journal must outlive whatever one run wants written
            log.warning("a journal batch of %d failed (%s); its runs are written one by one", len(batch), fault)
            for run_id in dict.fromkeys(entry.run_id for entry in batch):
                await self._commit_run([entry for entry in batch if entry.run_id == run_id])
            return
        await self._finish(batch, held)

    async def _commit_run(self, entries: list[Entry]) -> None:
        for at, entry in enumerate(entries):
            try:
                held = await self._persist([entry], again=True)
            except Exception as fault:
                for late in entries[at:]:  # a later row without the earlier one would be a gap
                    self._fail(late, fault)
                return
            await self._finish([entry], held)

    def _fail(self, entry: Entry, fault: Exception) -> None:
        log.error("run %s could not be journalled: %s", entry.run_id, fault)
        if not entry.commit.done():
            entry.commit.set_exception(fault)

    async def _finish(self, batch: list[Entry], held: set[UUID]) -> None:
        """Tell the callers, the followers, and the parents of runs that ended."""
        kept = [entry for entry in batch if entry.run_id in held]
        for entry in batch:
            if entry.commit.done():
                continue
            if entry.run_id in held:
                entry.commit.set_result(None)
            else:
                entry.commit.set_exception(LeaseLost(entry.run_id))
        parents = [entry.parent_id for entry in kept if entry.parent_id and entry.close and entry.close["final"]]
        if parents:
            with contextlib.suppress(psycopg.Error):  # the parent also looks by itself, later
                await self._connected(lambda connection: connection.execute(POKE, [parents]))
        await self.publish(kept, parents)

    async def _persist(self, batch: list[Entry], again: bool = False) -> set[UUID]:
        """The ids of the runs that were ours to write. A lost connection is made again, however long it takes."""
        tries = itertools.count()
        return await self._connected(lambda at: self._transaction(at, batch, again or next(tries) > 0))

    async def _connected(self, work: Callable[[EngineConnection], Awaitable[Any]]) -> Any:
        for tries in range(10**9):
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
                await asyncio.sleep(RECONNECT_S[min(tries, len(RECONNECT_S) - 1)])
        raise AssertionError("unreachable")

    async def _transaction(self, connection: EngineConnection, batch: list[Entry], again: bool) -> set[UUID]:
        anew = replan(connection)
        BATCH_ENTRIES.observe(len(batch))
        with COMMIT_SECONDS.time():
            rows = await connection.execute_transaction([*anew, *statements(batch, self.owner, again)])
        return {row["id"] for row in rows[len(anew)]}


def _let_go(batch: list[Entry]) -> None:
    """Nobody waits for ever: where it is not known what became of an entry, its run is taken up again from what is on
    record. Mostly nothing is left to do.
    """
    for entry in batch:
        if not entry.commit.done():
            entry.commit.set_exception(LeaseLost(entry.run_id))
