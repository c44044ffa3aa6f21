"""The scheduler's heartbeat, a key in Redis that expires: it needs no database, and is back when Redis is."""

from functools import cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

KEY = "regente:scheduler:heartbeat"
LIFETIME_S = 10  # without one for so long the scheduler is missing; it gives one every two seconds


@cache
def broker() -> redis.Redis:
    """This process's client of Redis for heartbeats, with short timeouts."""
    retry = Retry(NoBackoff(), 1)  # for a connection that ended while nobody used it
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5, retry=retry)


def beat() -> None:
    """The scheduler is alive; redis.RedisError or OSError when Redis does not answer."""
    broker().set(KEY, "alive", ex=LIFETIME_S)


def is_alive() -> bool:
    """Whether a scheduler has written its heartbeat within LIFETIME_S; the same errors."""
    return bool(broker().exists(KEY))
