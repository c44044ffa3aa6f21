"""Following one run from a web process: told when it has changed, and the pieces of its text as they are said."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import redis.asyncio as redis

from config.processes.task_supervisor import start_task
from orchestration.engine.notifier import client
from orchestration.live.change_listener import POLL_DEAF_S, POLL_S, followers
from orchestration.live.text_stream import SAID, SPEAKING, TEXT

log = logging.getLogger(__name__)
MAX_PIECES = 2_000  # that wait for a slow client; older ones are read again from what was said
HUSH = "regente:text:nobody"  # keeps the subscription open while nobody listens


@dataclass(frozen=True)
class Heard:
    """A piece of a step's text, as it was said."""

    step: str
    voice: str
    at: int
    text: str


class Ear:
    """One follower's: `changed` when the run's tables have something new, `pieces` of text in their order."""

    def __init__(self) -> None:
        self.bell = asyncio.Event()
        self.changed = True
        self.pieces: deque[Heard] = deque(maxlen=MAX_PIECES)

    def set(self) -> None:
        """The run has changed; what Followers call."""
        self.changed = True
        self.bell.set()

    def hear(self, piece: Heard) -> None:
        """Something was said."""
        self.pieces.append(piece)
        self.bell.set()

    async def wait(self, most_s: float) -> None:
        """Return when there is something new, or it is time to look anyhow."""
        if self.changed or self.pieces:
            return
        patience = min(most_s, POLL_S if followers.hearing and voices.hearing else POLL_DEAF_S)
        try:
            async with asyncio.timeout(patience):
                await self.bell.wait()
        except TimeoutError:
            self.changed = True
        self.bell.clear()


class Voices:
    """Hears what runs say, over one Redis connection of this process, and hands it to those who follow them."""

    def __init__(self) -> None:
        self.ears: dict[str, set[Ear]] = {}
        self.line: Any = None
        self.hearing = False
        self.task: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def follow(self, run_id: UUID) -> AsyncIterator[Ear]:
        """An ear for this run."""
        if self.task is None or self.task.done():
            self.task = start_task("text_listener", self._listen)
        ear, channel = Ear(), f"{TEXT}{run_id}"
        self.ears.setdefault(channel, set()).add(ear)
        try:
            await self._ask("subscribe", channel)
            with followers.follow(run_id, ear):
                yield ear
        finally:
            self.ears[channel].discard(ear)
            if not self.ears[channel]:
                del self.ears[channel]
                await self._ask("unsubscribe", channel)

    async def _ask(self, what: str, channel: str) -> None:
        """Tell Redis; when it is away, the channels are asked for again as soon as it is back."""
        if self.line is not None:
            with contextlib.suppress(redis.RedisError, OSError):
                await getattr(self.line, what)(channel)

    async def _listen(self) -> None:
        while True:
            await self._hear()
            await asyncio.sleep(POLL_DEAF_S)

    async def _hear(self) -> None:
        """Listen until Redis goes away."""
        try:
            async with client() as server, server.pubsub(ignore_subscribe_messages=True) as line:
                await line.subscribe(HUSH)
                self.line = line  # who comes from here on asks for itself
                if self.ears:
                    await line.subscribe(*self.ears)
                self.hearing = True
                for ears in self.ears.values():
                    for ear in ears:
                        ear.set()
                async for message in line.listen():
                    heard = Heard(**orjson.loads(message["data"]))
                    for ear in self.ears.get(message["channel"].decode(), ()):
                        ear.hear(heard)
        except (redis.RedisError, OSError) as fault:
            log.warning("what runs say is not heard (%s); their records are read instead", type(fault).__name__)
        finally:
            self.line, self.hearing = None, False

    async def said(self, voice: str) -> str:
        """What this voice has said so far; "" when that is kept no more."""
        with contextlib.suppress(redis.RedisError, OSError):
            async with client() as server:
                return ((await server.get(f"{SAID}{voice}")) or b"").decode()
        return ""

    async def speaking(self, run_id: UUID) -> Heard | None:
        """All that the run's latest voice has said, for one who comes late."""
        with contextlib.suppress(redis.RedisError, OSError):
            async with client() as server:
                told = await server.get(f"{SPEAKING}{run_id}")
                if told:
                    latest = orjson.loads(told)
                    text = ((await server.get(f"{SAID}{latest['voice']}")) or b"").decode()
                    return Heard(latest["step"], latest["voice"], 0, text)
        return None


voices = Voices()
