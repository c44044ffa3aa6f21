"""Following one run from a web process: that it has changed, and the pieces of its text as they are made."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import redis.asyncio as redis

from orchestration.live.change_listener import POLL_DISCONNECTED_S, POLL_S, followers
from orchestration.program.text_stream import LATEST_ATTEMPT, TEXT_CHANNEL, TEXT_SO_FAR, TextPiece
from orchestration.runs.subscription import Subscription, redis_client

MAX_PIECES = 2_000  # that wait for a slow client; older ones are read again from the text so far


class TextFollower:
    """One client's: `changed` when the run's tables have something new, `pieces` of text in their order."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.is_changed = True
        self.pieces: deque[TextPiece] = deque(maxlen=MAX_PIECES)

    def set(self) -> None:
        """The run has changed; what Followers call."""
        self.is_changed = True
        self.event.set()

    def add(self, piece: TextPiece) -> None:
        """One more piece has come."""
        self.pieces.append(piece)
        self.event.set()

    async def wait(self, max_s: float) -> None:
        """Return when there is something new, or it is time to look anyhow."""
        if self.is_changed or self.pieces:
            return
        poll_s = POLL_S if followers.connected and text_listener.connected else POLL_DISCONNECTED_S
        try:
            async with asyncio.timeout(min(max_s, poll_s)):
                await self.event.wait()
        except TimeoutError:
            self.is_changed = True
        self.event.clear()


class TextListener:
    """Receives the text of runs, over one Redis connection of this process, for those who follow them."""

    def __init__(self) -> None:
        self.followers: dict[str, set[TextFollower]] = {}  # by channel
        self.subscription = Subscription("text_listener", TEXT_CHANNEL, self._receive, self._wake_all)

    @property
    def connected(self) -> bool:
        """Whether pieces arrive."""
        return self.subscription.connected

    @contextlib.asynccontextmanager
    async def follow(self, run_id: UUID) -> AsyncIterator[TextFollower]:
        """A follower of this run."""
        self.subscription.start()
        follower, channel = TextFollower(), f"{TEXT_CHANNEL}{run_id}"
        self.followers.setdefault(channel, set()).add(follower)
        try:
            await self.subscription.add(channel)
            with followers.follow(run_id, follower):
                yield follower
        finally:
            self.followers[channel].discard(follower)
            if not self.followers[channel]:
                del self.followers[channel]
                await self.subscription.remove(channel)

    def _receive(self, channel: str, message: bytes) -> None:
        piece = TextPiece.from_json(UUID(channel.removeprefix(TEXT_CHANNEL)), message)
        for follower in self.followers.get(channel, ()):
            follower.add(piece)

    def _wake_all(self) -> None:
        for channel_followers in self.followers.values():
            for follower in channel_followers:
                follower.set()

    async def text_so_far(self, attempt_id: str) -> str:
        """What this attempt has brought so far; "" when that is kept no more."""
        with contextlib.suppress(redis.RedisError, OSError):
            async with redis_client() as client:
                return ((await client.get(f"{TEXT_SO_FAR}{attempt_id}")) or b"").decode()
        return ""

    async def latest_text(self, run_id: UUID) -> TextPiece | None:
        """All that the run's latest attempt has brought, for one who comes late."""
        with contextlib.suppress(redis.RedisError, OSError):
            async with redis_client() as client:
                message = await client.get(f"{LATEST_ATTEMPT}{run_id}")
                if message:
                    latest = TextPiece.from_json(run_id, message)
                    text = ((await client.get(f"{TEXT_SO_FAR}{latest.attempt_id}")) or b"").decode()
                    return replace(latest, text=text)
        return None


text_listener = TextListener()
