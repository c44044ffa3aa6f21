"""Following runs from a web process: SSE and `Prefer: wait`. The event table is the truth; Redis only says that it
has grown.

No thread and no database connection is held while nothing happens.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Any, Protocol
from uuid import UUID

import orjson
import psycopg
import redis.asyncio as redis
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from config.database.address import direct_parameters
from config.http.renderers import dumps
from config.processes.task_supervisor import start_task
from orchestration.engine.journal.connections import set_up
from orchestration.engine.notifier import client
from orchestration.models import FINAL, Status
from orchestration.runs.wake import RUNS

log = logging.getLogger(__name__)
COMMENT_S = 15.0
POLL_DEAF_S, POLL_S = 0.5, 5.0  # how often a follower looks by itself while Redis is away, and while it is there
READ_CONNECTIONS = 4

STATE = "SELECT id, status, mode, result, failure_reason FROM orchestration_run WHERE id = %s"


class Bell(Protocol):
    """What a follower is rung by: an asyncio.Event, or something that can be set like one."""

    def set(self) -> None:
        """The run has changed."""


class _Stale(psycopg.OperationalError):
    """The connection had ended before it was asked."""


class Followers:
    """Hears which runs have changed and wakes those who follow them; one per process."""

    def __init__(self) -> None:
        self.following: dict[str, set[Bell]] = {}
        self.hearing = False
        self.listener: asyncio.Task[None] | None = None
        self.pool: AsyncConnectionPool | None = None

    @contextlib.contextmanager
    def follow(self, run_id: UUID, bell: Any = None) -> Iterator[Any]:
        """An event (the given one, when there is one) that is set whenever the run has changed."""
        if self.listener is None or self.listener.done():
            self.listener = start_task("run_change_listener", self._listen)
        bell, key = bell or asyncio.Event(), str(run_id)
        self.following.setdefault(key, set()).add(bell)
        try:
            yield bell
        finally:
            self.following[key].discard(bell)
            if not self.following[key]:
                del self.following[key]

    async def _listen(self) -> None:
        while True:
            try:
                async with client() as heard_by, heard_by.pubsub(ignore_subscribe_messages=True) as heard:
                    await heard.subscribe(RUNS)
                    self.hearing = True
                    self._ring(list(self.following))
                    async for message in heard.listen():
                        self._ring(orjson.loads(message["data"]))
            except (redis.RedisError, OSError) as fault:
                log.warning("changes of runs are not heard (%s); polling", type(fault).__name__)
            finally:
                self.hearing = False
            await asyncio.sleep(POLL_DEAF_S)

    def _ring(self, run_ids: Any) -> None:
        for run_id in run_ids:
            for bell in self.following.get(run_id, ()):
                bell.set()

    async def wait(self, bell: asyncio.Event, most_s: float) -> None:
        """Return when the run has changed, when it is time to look anyhow, or after this long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(most_s, POLL_S if self.hearing else POLL_DEAF_S)):
                await bell.wait()
        bell.clear()

    async def read(self, query: str, values: Any) -> list[dict[str, Any]]:
        """The query's rows, over a connection that is held for just that long.

        A restarted database leaves connections behind that show only when they are used: each is tried once.
        """
        for _ in range(READ_CONNECTIONS):
            with contextlib.suppress(_Stale):
                return await self._read(query, values)
        return await self._read(query, values)

    async def _read(self, query: str, values: Any) -> list[dict[str, Any]]:
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


async def status_changes(run_id: UUID, status: str, seconds: float) -> None:
    """Return when the run's status is another one than this, or after so long."""
    end = asyncio.get_running_loop().time() + seconds
    with followers.follow(run_id) as bell:
        while (left := end - asyncio.get_running_loop().time()) > 0:
            rows = await followers.read(STATE, [run_id])
            if not rows or rows[0]["status"] != status:
                return
            await followers.wait(bell, left)


async def ended(run_id: UUID, seconds: float, or_paused: bool = False) -> UUID:
    """The run's id, once it has come to its end (or waits for a person, if that is asked for too), or after so long."""
    ends = {*FINAL, Status.PAUSED} if or_paused else FINAL
    end = asyncio.get_running_loop().time() + seconds
    with followers.follow(run_id) as bell:
        while (left := end - asyncio.get_running_loop().time()) > 0:
            rows = await followers.read(STATE, [run_id])
            if not rows or rows[0]["status"] in ends:
                break
            await followers.wait(bell, left)
    return run_id


def frame(body: dict[str, Any], event_id: int | None = None) -> bytes:
    """One SSE frame; no `event:` line, which would hide it from onmessage."""
    head = b"" if event_id is None else b"id: %d\n" % event_id
    return head + b"data: " + dumps(body) + b"\n\n"
