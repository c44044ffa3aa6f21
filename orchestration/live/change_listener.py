"""Following runs from a web process: SSE and `Prefer: wait`. The event table is the truth; Redis only carries
that it has grown.

No thread and no database connection is held while nothing happens.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from typing import Any, Protocol
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from config.database.address import direct_parameters
from config.database.pipeline import Row
from orchestration.engine.journal.connections import set_up
from orchestration.runs.subscription import Subscription
from orchestration.runs.wake import RUNS_CHANNEL

# How often a follower looks by itself while Redis is away, and while it is there.
POLL_DISCONNECTED_S, POLL_S = 0.5, 5.0
READ_CONNECTIONS = 4

STATE = "SELECT id, status, mode, result, failure_reason FROM orchestration_run WHERE id = %s"


class Event(Protocol):
    """What is set when a followed run has changed: an asyncio.Event, or something that can be set like one."""

    def set(self) -> None:
        """The run has changed."""


class _Stale(psycopg.OperationalError):
    """The connection had ended before it was used."""


class Followers:
    """Learns which runs have changed and wakes those who follow them; one per process."""

    def __init__(self) -> None:
        self.events: dict[str, set[Event]] = {}
        self.subscription = Subscription("run_change_listener", RUNS_CHANNEL, self._receive, self._wake_all)
        self.pool: AsyncConnectionPool | None = None

    @property
    def connected(self) -> bool:
        """Whether messages of changes arrive."""
        return self.subscription.connected

    @contextlib.contextmanager
    def follow(self, run_id: UUID, event: Any = None) -> Iterator[Any]:
        """An event (this one, when there is one) that is set whenever the run has changed."""
        self.subscription.start()
        event, key = event or asyncio.Event(), str(run_id)
        self.events.setdefault(key, set()).add(event)
        try:
            yield event
        finally:
            self.events[key].discard(event)
            if not self.events[key]:
                del self.events[key]

    def _receive(self, _channel: str, message: bytes) -> None:
        self._wake(orjson.loads(message))

    def _wake_all(self) -> None:
        self._wake(list(self.events))

    def _wake(self, run_ids: Iterable[str]) -> None:
        for run_id in run_ids:
            for event in self.events.get(run_id, ()):
                event.set()

    async def wait(self, event: asyncio.Event, max_s: float) -> None:
        """Return when the run has changed, when it is time to look anyhow, or after this long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max_s, POLL_S if self.connected else POLL_DISCONNECTED_S)):
                await event.wait()
        event.clear()

    async def read(self, query: str, values: Any) -> list[Row]:
        """The query's rows, over a connection that is held for just that long.

        A restarted database leaves connections behind that show only when they are used: each is tried once.
        """
        for _ in range(READ_CONNECTIONS):
            with contextlib.suppress(_Stale):
                return await self._read(query, values)
        return await self._read(query, values)

    async def _read(self, query: str, values: Any) -> list[Row]:
        if self.pool is None:
            self.pool = AsyncConnectionPool(
                kwargs=direct_parameters() | {"autocommit": True},
                configure=set_up,
                min_size=1,
                max_size=READ_CONNECTIONS,
                open=False,
            )
            await self.pool.open()
        async with self.pool.connection(timeout=5) as connection, connection.cursor(row_factory=dict_row) as cursor:
            try:
                return await (await cursor.execute(query, values)).fetchall()
            except psycopg.OperationalError as fault:
                raise _Stale(str(fault)) from fault if connection.broken else fault


followers = Followers()
