"""What monitors show of a run: its events as frames, read once for all who watch it in this process.

The event table is the truth. A frame's place among all frames of the run, counted from 1, is the same for everybody
and for ever, since the same events always make the same frames.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import psycopg

from config.database.pipeline import Row
from config.http.fields import iso
from config.http.renderers import dumps
from config.values.json_types import JsonObject
from orchestration.live.change_listener import POLL_S, followers
from orchestration.live.updates import END_EVENTS, MAX_EVENTS, read_changes

log = logging.getLogger(__name__)
FrameBody = tuple[str, JsonObject]  # a frame's type and data


class FrameRenderer(Protocol):
    """How a kind of run is shown: its events one by one, and its state after them."""

    def frames(self, event: Row, seq: int) -> list[bytes]:
        """The frames that the event makes, as JSON; this seq is the first one's."""

    def greeting(self, after: int) -> bytes:
        """A monitor's first message; the frames that follow go on after this seq."""


def frame_json(body: FrameBody, at: datetime | None, **more: Any) -> bytes:
    """A frame's JSON: {type, data, timestamp, …}."""
    return dumps({"type": body[0], "data": body[1], "timestamp": iso(at or datetime.now(UTC)), **more})


class Feed:
    """The frames of one run, growing while somebody watches."""

    def __init__(self, run_id: UUID, renderer: FrameRenderer) -> None:
        self.run_id, self.renderer = run_id, renderer
        self.frames: list[bytes] = []
        self.run: Row = {}  # its row as the last reading had it
        self.last_seq, self.is_over, self.watchers = 0, False, 0
        self.caught_up = asyncio.Event()
        self.growth: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.event: asyncio.Event | None = None
        self.reading: asyncio.Future[None] = asyncio.get_running_loop().create_future()  # the one under way
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            with followers.follow(self.run_id) as event:
                self.event = event
                while not self.is_over:
                    run, events = await read_changes(self.run_id, self.last_seq)
                    self._append(run, events)
                    self._end_reading()
                    if len(events) == MAX_EVENTS:
                        continue
                    self.caught_up.set()
                    if not self.is_over:
                        await followers.wait(event, POLL_S)
        except psycopg.Error as fault:
            log.warning("run %s is not read for its monitors: %s", self.run_id, str(fault).strip().split("\n")[0])
        except Exception:
            log.exception("run %s is not read for its monitors, who are asked to connect again", self.run_id)
        finally:
            self.caught_up.set()
            self._end_reading()
            self._wake_watchers()

    def _append(self, run: Row, events: list[Row]) -> None:
        is_changed = bool(events) or run["status"] != self.run.get("status")
        self.run = run
        for event in events:
            self.last_seq = event["seq"]
            self.frames += self.renderer.frames(event, len(self.frames) + 1)
            self.is_over = self.is_over or event["kind"] in END_EVENTS
        if is_changed:
            self._wake_watchers()

    def _wake_watchers(self) -> None:
        growth, self.growth = self.growth, asyncio.get_running_loop().create_future()
        if not growth.done():
            growth.set_result(None)

    def _end_reading(self) -> None:
        reading, self.reading = self.reading, asyncio.get_running_loop().create_future()
        if not reading.done():
            reading.set_result(None)

    async def refresh(self) -> None:
        """Return once all that is there now has been read: another process may have shown more than we have yet."""
        for _ in range(2):  # the reading under way may have begun before
            if self.task.done():
                return
            reading = self.reading
            if self.event is not None:
                self.event.set()
            await asyncio.wait([reading], timeout=POLL_S)

    async def wait(self, seconds: float) -> bool:
        """Whether there is more within so long."""
        finished_futures, _ = await asyncio.wait([self.growth], timeout=seconds)
        return bool(finished_futures)

    @property
    def is_broken(self) -> bool:
        """Whether the reading has ended before the run did: PostgreSQL is away."""
        return self.task.done() and not self.is_over


class Feeds:
    """The feeds of this process."""

    def __init__(self) -> None:
        self.open: dict[tuple[type, UUID], Feed] = {}

    @contextlib.asynccontextmanager
    async def watch(self, run_id: UUID, renderer: FrameRenderer) -> AsyncIterator[Feed]:
        """The run's feed, which has read all that there is; it ends with its last watcher."""
        key = (type(renderer), run_id)
        feed = self.open.get(key)
        if feed is None or feed.is_broken:
            feed = self.open[key] = Feed(run_id, renderer)
        feed.watchers += 1
        try:
            await feed.caught_up.wait()
            yield feed
        finally:
            feed.watchers -= 1
            if not feed.watchers:
                feed.task.cancel()
                if self.open.get(key) is feed:
                    del self.open[key]


feeds = Feeds()
