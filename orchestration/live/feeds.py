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

from config.http.fields import iso
from config.http.renderers import dumps
from orchestration.live.change_listener import POLL_S, followers
from orchestration.live.updates import END_EVENTS, MAX_EVENTS, read_changes

log = logging.getLogger(__name__)
Told = tuple[str, dict[str, Any]]  # a frame's type and data


class Story(Protocol):
    """How a kind of run is told: its events one by one, and how it stands after them."""

    def frames(self, event: dict[str, Any], seq: int) -> list[bytes]:
        """The frames that the event makes, as JSON; this seq is the first one's."""

    def greeting(self, after: int) -> bytes:
        """A monitor's first message; the frames that follow go on after this seq."""


def frame(told: Told, at: datetime | None, **more: Any) -> bytes:
    """A frame's JSON: {type, data, timestamp, …}."""
    return dumps({"type": told[0], "data": told[1], "timestamp": iso(at or datetime.now(UTC)), **more})


class Feed:
    """The frames of one run, growing while somebody watches."""

    def __init__(self, run_id: UUID, story: Story) -> None:
        self.run_id, self.story = run_id, story
        self.frames: list[bytes] = []
        self.run: dict[str, Any] = {}  # its row as the last reading had it
        self.seen, self.over, self.watchers = 0, False, 0
        self.caught_up = asyncio.Event()
        self.grown: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.bell: asyncio.Event | None = None
        self.read: asyncio.Future[None] = asyncio.get_running_loop().create_future()  # the reading under way is done
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            with followers.follow(self.run_id) as bell:
                self.bell = bell
                while not self.over:
                    run, events = await read_changes(self.run_id, self.seen)
                    self._take(run, events)
                    self._done()
                    if len(events) == MAX_EVENTS:
                        continue
                    self.caught_up.set()
                    if not self.over:
                        await followers.wait(bell, POLL_S)
        except psycopg.Error as fault:
            log.warning("run %s is not read for its monitors: %s", self.run_id, str(fault).strip().split("\n")[0])
        except Exception:
            log.exception("run %s is not read for its monitors, who are asked to connect again", self.run_id)
        finally:
            self.caught_up.set()
            self._done()
            self._ring()

    def _take(self, run: dict[str, Any], events: list[dict[str, Any]]) -> None:
        changed = bool(events) or run["status"] != self.run.get("status")
        self.run = run
        for event in events:
            self.seen = event["seq"]
            self.frames += self.story.frames(event, len(self.frames) + 1)
            self.over = self.over or event["kind"] in END_EVENTS
        if changed:
            self._ring()

    def _ring(self) -> None:
        waiting, self.grown = self.grown, asyncio.get_running_loop().create_future()
        if not waiting.done():
            waiting.set_result(None)

    def _done(self) -> None:
        done, self.read = self.read, asyncio.get_running_loop().create_future()
        if not done.done():
            done.set_result(None)

    async def look_again(self) -> None:
        """Return once all that is there now has been read: another process may have shown more than we have yet."""
        for _ in range(2):  # the reading under way may have begun before
            if self.reading.done():
                return
            done = self.read
            if self.bell is not None:
                self.bell.set()
            await asyncio.wait([done], timeout=POLL_S)

    async def wait(self, seconds: float) -> bool:
        """Whether there is more within so long."""
        done, _ = await asyncio.wait([self.grown], timeout=seconds)
        return bool(done)

    @property
    def broken(self) -> bool:
        """Whether the reading has ended before the run did: PostgreSQL is away."""
        return self.reading.done() and not self.over


class Feeds:
    """The feeds of this process."""

    def __init__(self) -> None:
        self.open: dict[tuple[type, UUID], Feed] = {}

    @contextlib.asynccontextmanager
    async def watch(self, run_id: UUID, story: Story) -> AsyncIterator[Feed]:
        """The run's feed, which has read all that there is; it ends with its last watcher."""
        key = (type(story), run_id)
        feed = self.open.get(key)
        if feed is None or feed.broken:
            feed = self.open[key] = Feed(run_id, story)
        feed.watchers += 1
        try:
            await feed.caught_up.wait()
            yield feed
        finally:
            feed.watchers -= 1
            if not feed.watchers:
                feed.reading.cancel()
                if self.open.get(key) is feed:
                    del self.open[key]


feeds = Feeds()
