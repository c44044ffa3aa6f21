"""Subscriptions to Redis channels, which live through Redis going away: the one loop that receives messages."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import redis.asyncio as redis
from django.conf import settings

from config.processes.backoff import Backoff
from config.processes.task_supervisor import start_task

log = logging.getLogger(__name__)
RECONNECT = Backoff(0.2, 1.0)  # those who miss messages poll meanwhile


def redis_client() -> redis.Redis:
    """A Redis client of this loop."""
    over_tcp: dict[str, Any] = (
        {} if settings.REDIS_URL.startswith("unix:") else {"socket_connect_timeout": 1, "socket_keepalive": True}
    )
    return redis.Redis.from_url(settings.REDIS_URL, **over_tcp)


class Subscription:
    """Calls `receive(channel, data)` for each message of its channels, and `connect()` whenever it is connected anew,
    as messages before that may be lost.
    """

    def __init__(
        self, name: str, channel: str, receive: Callable[[str, bytes], None], connect: Callable[[], None]
    ) -> None:
        """`name`: of the supervised task. `channel`: one that is always subscribed to; add() brings more."""
        self.name, self.channel, self.receive, self.connect = name, channel, receive, connect
        self.connected = False
        self.more: set[str] = set()
        self.pubsub: redis.client.PubSub | None = None
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to receive on the running loop, unless it does."""
        if self.task is None or self.task.done():
            self.task = start_task(self.name, self._run)

    async def add(self, channel: str) -> None:
        """Subscribe to one more channel: now, or as soon as Redis is back."""
        self.more.add(channel)
        if self.pubsub is not None:
            with contextlib.suppress(redis.RedisError, OSError):
                await self.pubsub.subscribe(channel)

    async def remove(self, channel: str) -> None:
        """End the subscription to a channel."""
        self.more.discard(channel)
        if self.pubsub is not None:
            with contextlib.suppress(redis.RedisError, OSError):
                await self.pubsub.unsubscribe(channel)

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                async with redis_client() as client, client.pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.subscribe(self.channel)
                    self.pubsub = pubsub  # what is added from here on is subscribed to at once
                    if self.more:
                        await pubsub.subscribe(*self.more)
                    self.connected, failures = True, 0
                    self.connect()
                    async for message in pubsub.listen():
                        self.receive(message["channel"].decode(), message["data"])
            except (redis.RedisError, OSError) as fault:
                log.warning("%s: Redis is away (%s); its followers poll", self.name, type(fault).__name__)
            finally:
                self.connected, self.pubsub = False, None
            failures += 1
            await asyncio.sleep(RECONNECT.delay(failures))
