"""How many of a tenant's requests the rate limits let pass and refused: counted by the limits' own script in Redis,
kept there for a day, and lost with it. A hash per tenant and hour: `passed`, the kinds of limits that refused, and
`@minute` for all that were refused in that minute. Requests without credentials are the tenant "".
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import redis
from django.conf import settings

LIFETIME_S = 25 * 3600
MINUTE_S, HOUR_S = 60, 3600
TIMEOUT_S = 0.5
PASS, MINUTE = "passed", "@"
# Within the script of a rate limit: one more that passed, or that a limit of this kind refused.
COUNT_FUNCTION = f"""
local function count(key, minute, kind)
    if kind == nil then
        if redis.call('HINCRBY', key, '{PASS}', 1) == 1 then redis.call('EXPIRE', key, {LIFETIME_S}) end
    else
        redis.call('HINCRBY', key, kind, 1)
        if redis.call('HINCRBY', key, '{MINUTE}' .. minute, 1) == 1 then redis.call('EXPIRE', key, {LIFETIME_S}) end
    end
end
"""


class TrafficUnknown(Exception):
    """Redis, which holds the counts, is away."""


def key(tenant_id: str, at: float) -> str:
    """The hash of this tenant in the hour of that time (seconds since 1970)."""
    return f"regente:requests:{tenant_id}:{int(at) // HOUR_S}"


def minute(at: float) -> int:
    """The minute of that time, since 1970."""
    return int(at) // MINUTE_S


def refusals(tenant_id: str, since: datetime, until: datetime) -> list[tuple[datetime, int]]:
    """(minute, how many were refused) of the minutes that had any, the first one whole."""
    first, last = minute(since.timestamp()), minute(until.timestamp())
    hours = range(first * MINUTE_S // HOUR_S, last * MINUTE_S // HOUR_S + 1)
    counts: dict[int, int] = {}
    for fields in _read([key(tenant_id, hour * HOUR_S) for hour in hours]):
        counts |= {int(name[len(MINUTE) :]): count for name, count in fields.items() if name.startswith(MINUTE)}
    return [(datetime.fromtimestamp(at * MINUTE_S, UTC), counts[at]) for at in sorted(counts) if first <= at <= last]


def by_hour(tenants: Iterable[str], hours: Iterable[datetime]) -> list[tuple[str, datetime, dict[str, int]]]:
    """(tenant, hour, {passed, and each kind of limit that refused: how many}) where there were any."""
    pairs = [(tenant, hour) for tenant in tenants for hour in hours]
    read = _read([key(tenant, hour.timestamp()) for tenant, hour in pairs])
    return [
        (tenant, hour, {name: count for name, count in fields.items() if not name.startswith(MINUTE)})
        for (tenant, hour), fields in zip(pairs, read, strict=True)
        if fields
    ]


def hours_back(now: datetime, hours: int) -> list[datetime]:
    """The hour of `now` and so many before it."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    return [hour - timedelta(hours=back) for back in range(hours + 1)]


def _read(keys: list[str]) -> list[dict[str, int]]:
    """The hashes; TrafficUnknown while Redis is away."""
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, decode_responses=True
        ) as client:
            pipeline = client.pipeline(transaction=False)
            for one in keys:
                pipeline.hgetall(one)
            return [{name: int(count) for name, count in fields.items()} for fields in pipeline.execute()]
    except (redis.RedisError, OSError) as error:
        raise TrafficUnknown from error
