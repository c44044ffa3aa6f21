"""What an engine does for the contexts of its runs: threads, reads, reservations, children, writes, messages."""

import asyncio
import itertools
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import psycopg

from config.rate_limits.limiter import Pace
from governance.budgets import reservations
from governance.budgets.reservations import Bill, ReservationRequest
from orchestration.engine import claims
from orchestration.engine.journal.connection import EngineConnection
from orchestration.engine.journal.connections import (
    RECONNECT,
    DatabaseLost,
    close_connections,
    connect,
    in_loader,
)
from orchestration.engine.journal.journal import Journal
from orchestration.engine.journal.shared_reads import SharedReads
from orchestration.engine.lease import Lease
from orchestration.engine.notifier import Notifier
from orchestration.program.journal_entry import Entry
from orchestration.program.registry import CLOSE
from orchestration.program.run_info import Inbox, RunInfo
from orchestration.program.text_stream import TextWriter
from orchestration.program.waits.children import NewChild, insert_child

STEP_THREADS = 8
LOADER_THREADS = 2
SESSION_ENDED = (psycopg.errors.TransactionTimeout, psycopg.errors.IdleInTransactionSessionTimeout)
CONNECTION_LOST = (psycopg.OperationalError, psycopg.InterfaceError, *SESSION_ENDED)


class Services:
    """The EngineServices of one engine. Its connection, for reservations and inboxes, is its own."""

    def __init__(self, lease: Lease, notifier: Notifier, journal: Journal) -> None:
        self.lease, self.notifier, self.journal = lease, notifier, journal
        self.connection: EngineConnection | None = None
        self.lock = asyncio.Lock()  # of the connection
        self.steps_pool = ThreadPoolExecutor(STEP_THREADS, "step")
        self.loader_pool = ThreadPoolExecutor(LOADER_THREADS, "loader")
        self.reads = SharedReads(self.database)
        self.model_pace = Pace(notifier.client)

    def write(self, entry: Entry) -> "asyncio.Future[None]":
        """Queue the entry for the journal."""
        return self.journal.write(entry)

    def lose(self, run_id: uuid.UUID, is_broken: bool = False) -> None:
        """Stop a run whose write was refused."""
        self.lease.lose(run_id, is_broken)

    def hands_over(self, run: RunInfo) -> bool:
        """Whether the run goes on elsewhere: it has finished a step here, and is no suspect any more."""
        return self.lease.solitary and not run.deaths

    async def confirm_lease(self) -> None:
        """Return once the last heartbeat is younger than a lease."""
        await self.lease.confirm()

    async def in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        """The result of a sync step function."""
        return await asyncio.get_running_loop().run_in_executor(self.steps_pool, function, *args)

    async def database(self, work: Callable[[], Any]) -> Any:
        """The result of the sync `work`, run in a thread where the ORM is fine; again when PostgreSQL goes away."""
        loop = asyncio.get_running_loop()
        for failures in itertools.count(1):
            try:
                return await loop.run_in_executor(self.loader_pool, in_loader, work)
            except DatabaseLost:
                await asyncio.sleep(RECONNECT.delay(failures))

    async def shared(self, key: tuple[Any, ...], loader: Callable[[], Any]) -> Any:
        """The loader's value, shared by all who ask at the time."""
        return await self.reads.get(key, loader)

    async def pace(self, user: str) -> None:
        """Return when this user may make one more model call."""
        await self.model_pace.wait(user)

    async def reserve(self, run: RunInfo, request: ReservationRequest) -> Bill:
        """A bill reserved on the run's budgets and limits, once other reservations leave room for it."""
        if not (request.budget_ids or request.limit_ids):
            return Bill(None, [], 0, 0)
        run.has_limits = True
        while True:
            hold, tries = uuid.uuid4(), itertools.count()

            async def once(connection: EngineConnection, hold: uuid.UUID = hold, tries: Any = tries) -> Bill | None:
                if next(tries):  # the answer to the try before was lost, the hold perhaps not
                    undo = [{"hold_id": str(hold), "micro": 0, "calls": 0}]
                    await connection.execute(reservations.SETTLE, {"bills": orjson.dumps(undo).decode()})
                return await reservations.reserve(connection, request, hold)

            bill: Bill | None = await self._connected(once)
            if bill is not None:
                return bill
            await reservations.wait_for_release()

    async def release(self, run_id: uuid.UUID) -> None:
        """Give back what a dead engine had reserved for the run."""
        await self._connected(lambda connection: connection.execute(reservations.RELEASE, {"runs": [run_id]}))

    async def inbox(self, run_id: uuid.UUID) -> Inbox:
        """What waits for the run now."""
        inboxes = await self._connected(lambda connection: claims.load_inboxes(connection, [run_id]))
        inbox: Inbox = inboxes[run_id]
        return inbox

    async def start_child(self, parent: RunInfo, step: str, child: NewChild) -> uuid.UUID:
        """The id of the child run, which is inserted once."""
        owner = self.lease.owner
        id: uuid.UUID = await self._connected(lambda at: insert_child(at, owner, parent, step, child))
        self.notifier.wake(False)
        return id

    def text_writer(self, run_id: uuid.UUID, step: str) -> TextWriter:
        """What publishes the pieces of the step's text."""
        return self.notifier.text_writer(run_id, step)

    async def _connected(self, work: Callable[[EngineConnection], Awaitable[Any]]) -> Any:
        """Work on the connection, one at a time; once more on a new one when it broke."""
        async with self.lock:
            for failures in itertools.count(1):
                try:
                    if self.connection is None or self.connection.closed:
                        self.connection = await connect()
                    return await work(self.connection)
                except CONNECTION_LOST as fault:
                    if self.connection is not None and not self.connection.closed:
                        if not isinstance(fault, SESSION_ENDED):
                            raise
                        await self.connection.close()
                    await asyncio.sleep(RECONNECT.delay(failures))
        raise AssertionError("unreachable")

    async def close(self) -> None:
        """End the connection, what programs keep open on this loop, and the threads."""
        if self.connection is not None:
            await self.connection.close()
        for close in CLOSE:
            await close()
        await asyncio.to_thread(close_connections, self.loader_pool, LOADER_THREADS)
        await asyncio.to_thread(close_connections, self.steps_pool, STEP_THREADS)
