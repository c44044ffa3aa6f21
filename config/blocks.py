"""How many of a tenant's requests the rate limits have refused, by the minute, for a day: kept beside the limits in
Redis, and lost with it.
"""

from datetime import UTC, datetime
from typing import Any

import redis
from django.conf import settings

KEPT_S = 25 * 3600
MINUTE_S = 60
TIMEOUT_S = 2.0


class BlocksUnknown(Exception):
    """Redis, which knows them, is away."""


def _key(tenant_id: str, minute: int) -> str:
    return f"regente:blocked:{tenant_id}:{minute}"


def note(client: Any, tenant_id: str, now: float) -> None:
    """One more, through a limit's client; that Redis goes away or is full just then costs the count alone."""
    key = _key(tenant_id, int(now) // MINUTE_S)
    try:
        with client.pipeline(transaction=False) as line:
            line.incr(key)
            line.expire(key, KEPT_S)
            line.execute()
    except (redis.RedisError, OSError):
        return


def blocked(tenant_id: str, since: datetime, until: datetime) -> list[tuple[datetime, int]]:
    """(minute, how many) of the minutes that had any, the first one whole; BlocksUnknown while Redis is away."""
    minutes = range(int(since.timestamp()) // MINUTE_S, int(until.timestamp()) // MINUTE_S + 1)
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        ) as client:
            counts = client.mget([_key(tenant_id, minute) for minute in minutes])
    except (redis.RedisError, OSError) as fault:
        raise BlocksUnknown from fault
    told = zip(minutes, counts, strict=True)  # type: ignore[arg-type]
    return [(datetime.fromtimestamp(minute * MINUTE_S, UTC), int(count)) for minute, count in told if count]
