"""An engine's side of the doorbell: it hears rings, and tells those who follow runs what has changed. Redis may
be away.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
import redis.asyncio as redis
from django.conf import settings

from config.processes.task_supervisor import start_task
from orchestration.live.text_stream import Piece, Speaker, spoken
from orchestration.program.journal_entry import Entry
from orchestration.runs.wake import DOORBELL, RUNS

log = logging.getLogger(__name__)
BACKOFF_S = (0.2, 0.5, 1.0, 2.0)


def client() -> redis.Redis:
    """A Redis client of this loop."""
    over_tcp: dict[str, Any] = (
        {} if settings.REDIS_URL.startswith("unix:") else {"socket_connect_timeout": 1, "socket_keepalive": True}
    )
    return redis.Redis.from_url(settings.REDIS_URL, **over_tcp)


class Listener:
    """Hears the doorbell and rings on; what it has to tell goes out in bursts, off the journal's path."""

    def __init__(self, ring: Callable[[bool], None]) -> None:
        self.ring = ring
        self.client = client()
        self.changed: dict[str, int] = {}
        self.poke = False
        self.pieces: list[Piece] = []
        self.something = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to listen and to tell."""
        self.tasks = [start_task("wake_listener", self._listen), start_task("change_publisher", self._speak)]

    async def _listen(self) -> None:
        tries = 0
        while True:
            try:
                async with self.client.pubsub(ignore_subscribe_messages=True) as heard:
                    await heard.subscribe(DOORBELL)
                    self.ring(True)  # whatever was rung while we were deaf
                    tries = 0
                    async for message in heard.listen():
                        self.ring(message["data"] == b"poke")
            except (redis.RedisError, OSError) as fault:
                log.warning("the doorbell is not heard (%s); polling", type(fault).__name__)
                await asyncio.sleep(BACKOFF_S[min(tries, len(BACKOFF_S) - 1)])
                tries += 1

    def tell(self, entries: list[Entry], poke: bool) -> None:
        """Say soon that these runs have changed; nothing waits for it."""
        for entry in entries:
            self.changed[str(entry.run_id)] = max(entry.last_seq, self.changed.get(str(entry.run_id), 0))
        self.poke = self.poke or poke
        self.something.set()

    def speaker(self, run_id: UUID, step: str) -> Speaker:
        """What tells those who follow the run the pieces of a step's text, as they come."""
        return Speaker(run_id, step, self._say_piece)

    def _say_piece(self, piece: Piece) -> None:
        self.pieces.append(piece)
        self.something.set()

    async def _speak(self) -> None:
        while True:
            await self.something.wait()
            self.something.clear()
            await self._say()

    async def _say(self) -> None:
        changed, self.changed = self.changed, {}
        poke, self.poke = self.poke, False
        pieces, self.pieces = self.pieces, []
        try:
            async with self.client.pipeline(transaction=False) as line:
                if changed:
                    line.publish(RUNS, orjson.dumps(changed))
                if poke:
                    line.publish(DOORBELL, b"poke")
                spoken(line, pieces)
                await line.execute()
        except (redis.RedisError, OSError) as fault:
            log.warning("followers were not told (%s); they poll", type(fault).__name__)
        except Exception:  # whatever it was, it came with the pieces: of the changes followers are told all the same
            self.changed, self.poke = changed | self.changed, poke or self.poke
            self.something.set()
            raise

    async def close(self) -> None:
        """Say the last things, and that there is work to take over."""
        self.poke = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._say(), timeout=2)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.client.aclose()
