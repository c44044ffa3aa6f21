"""How many of a tenant's requests the rate limits let pass and refused: counted by the limits' own script in Redis,
kept there for a day, and lost with it. A hash per tenant and hour: `passed`, the kinds of limits that refused, and
`@minute` for all that were refused in that minute. Requests of nobody known are the tenant "".
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import redis
from django.conf import settings

KEPT_S = 25 * 3600
MINUTE_S, HOUR_S = 60, 3600
TIMEOUT_S = 0.5
PASSED, MINUTE = "passed", "@"
# Within the script of a rate limit: one more that passed, or that a limit of this kind refused.
NOTE = f"""
local function note(key, minute, kind)
    if kind == nil then
        if redis.call('HINCRBY', key, '{PASSED}', 1) == 1 then redis.call('EXPIRE', key, {KEPT_S}) end
    else
        redis.call('HINCRBY', key, kind, 1)
        if redis.call('HINCRBY', key, '{MINUTE}' .. minute, 1) == 1 then redis.call('EXPIRE', key, {KEPT_S}) end
    end
end
"""


class TrafficUnknown(Exception):
    """Redis, which knows it, is away."""


def key(tenant_id: str, at: float) -> str:
    """The hash of this tenant in the hour of that time (seconds since 1970)."""
    return f"regente:requests:{tenant_id}:{int(at) // HOUR_S}"


def minute(at: float) -> int:
    """The minute of that time, since 1970."""
    return int(at) // MINUTE_S


def blocked(tenant_id: str, since: datetime, until: datetime) -> list[tuple[datetime, int]]:
    """(minute, how many were refused) of the minutes that had any, the first one whole."""
    first, last = minute(since.timestamp()), minute(until.timestamp())
    hours = range(first * MINUTE_S // HOUR_S, last * MINUTE_S // HOUR_S + 1)
    found: dict[int, int] = {}
    for kept in _read([key(tenant_id, hour * HOUR_S) for hour in hours]):
        found |= {int(name[len(MINUTE) :]): count for name, count in kept.items() if name.startswith(MINUTE)}
    return [(datetime.fromtimestamp(at * MINUTE_S, UTC), found[at]) for at in sorted(found) if first <= at <= last]


def by_hour(tenants: Iterable[str], hours: Iterable[datetime]) -> list[tuple[str, datetime, dict[str, int]]]:
    """(tenant, hour, {passed, and each kind of limit that refused: how many}) where there were any."""
    asked = [(tenant, hour) for tenant in tenants for hour in hours]
    read = _read([key(tenant, hour.timestamp()) for tenant, hour in asked])
    return [
        (tenant, hour, {name: count for name, count in kept.items() if not name.startswith(MINUTE)})
        for (tenant, hour), kept in zip(asked, read, strict=True)
        if kept
    ]


def hours_back(now: datetime, hours: int) -> list[datetime]:
    """The hour of `now` and so many before it."""
    this = now.replace(minute=0, second=0, microsecond=0)
    return [this - timedelta(hours=back) for back in range(hours + 1)]


def _read(keys: list[str]) -> list[dict[str, int]]:
    """The hashes; TrafficUnknown while Redis is away."""
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, decode_responses=True
        ) as client:
            line = client.pipeline(transaction=False)
            for one in keys:
                line.hgetall(one)
            return [{name: int(count) for name, count in kept.items()} for kept in line.execute()]
    except (redis.RedisError, OSError) as fault:
        raise TrafficUnknown from fault
