"""Rate limits: counted in Redis by one script, so that they are exact over any number of threads, processes and hosts.

A window of a minute begins with its first request. Whoever proves who they are is counted by user or API key, and by
tenant; all others by address. When Redis is away requests pass uncounted (and are counted as such), logins do not.
"""

import asyncio
import hashlib
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis
import redis.asyncio
from django.conf import settings

from config.errors import BROKER_DOWN, RateLimited, Unavailable
from config.http import origin
from config.http.api_request import ApiHttpRequest
from config.processes.metrics import counter
from config.rate_limits import request_counts

WINDOW_MS = 60_000
QUIET_S = 1.0  # after Redis has failed to answer, nobody waits for it for so long
TIMEOUT_S = 0.25
# All or nothing: a request that one limit refuses is not counted by the others. Answers the limit that is nearest to
# its end: (its number, what is left, milliseconds until the window ends, whether it refused). KEYS are the limits'
# counters and last the tenant's traffic ("" = not to be told); ARGV the window's length, the minute, then for each
# limit how many and of which kind.
SCRIPT = (
    request_counts.NOTE
    + """
local nearest, left, ends, told = 1, nil, 0, KEYS[#KEYS]
for i = 1, #KEYS - 1 do
    local rest = tonumber(ARGV[2 * i + 1]) - tonumber(redis.call('GET', KEYS[i]) or '0')
    if rest <= 0 then
        if told ~= '' then note(told, ARGV[2], ARGV[2 * i + 2]) end
        return {i, 0, math.max(redis.call('PTTL', KEYS[i]), 1), 1}
    end
    if left == nil or rest < left then nearest, left = i, rest end
end
for i = 1, #KEYS - 1 do
    if redis.call('INCR', KEYS[i]) == 1 then redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
    if i == nearest then ends = redis.call('PTTL', KEYS[i]) end
end
if told ~= '' then note(told, ARGV[2]) end
return {nearest, left - 1, ends, 0}
"""
)
BLOCKED = counter("regente_rate_limit_blocked", "Requests that a rate limit refused.", ["kind"])
UNCHECKED = counter("regente_rate_limit_unchecked", "Requests that passed uncounted because Redis was away.")


@dataclass(frozen=True)
class Standing:
    """How a caller stands with the limit that is nearest to its end."""

    kind: str
    limit: int
    left: int
    ends_in_ms: int
    refused: bool

    def headers(self, in_seconds: bool = False) -> dict[str, str]:
        """The contract's headers; the window's end is a time (seed 000 §17), or in seconds since 1970 (seed 003)."""
        at = time.time() + self.ends_in_ms / 1000
        ends = str(round(at)) if in_seconds else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.left),
            "X-RateLimit-Reset": ends,
        }

    @property
    def retry_after(self) -> int:
        """Whole seconds until the window ends."""
        return -(-self.ends_in_ms // 1000)


@dataclass(frozen=True)
class Limit:
    """So many a minute of this kind by whoever `who` is; 0 = without limit."""

    kind: str
    who: str
    per_minute: int

    @property
    def key(self) -> str:
        """The counter's name; it does not tell an address or e-mail."""
        return f"regente:limit:{self.kind}:{hashlib.sha256(self.who.encode()).hexdigest()[:32]}"


SHA = hashlib.sha1(SCRIPT.encode()).hexdigest()  # noqa: S324 (how Redis names scripts)


class _Shared(threading.local):
    """This thread's connection: one of its own, spoken to directly, spares each request a client's work."""

    def __init__(self) -> None:
        self.line: Any = None
        self.quiet_until = 0.0

    def count(self, limits: list[Limit], tenant_id: str | None = None) -> Standing | None:
        """The caller's standing after one more; None without limits. redis.RedisError while Redis is away.

        `tenant_id`: in whose traffic it is counted; None = in nobody's.
        """
        limits = [limit for limit in limits if limit.per_minute]
        if not limits:
            return None
        if time.monotonic() < self.quiet_until:
            raise redis.ConnectionError("Redis was away a moment ago.")
        try:
            return standing(limits, self._ask(*call(limits, tenant_id)))
        except BROKER_DOWN:
            self.line, self.quiet_until = None, time.monotonic() + QUIET_S
            raise

    def _ask(self, keys: list[str], values: list[str | int]) -> list[int]:
        """The script's answer; a connection that has ended meanwhile is made again, once."""
        kept = self.line is not None
        try:
            if not kept:
                pool = redis.ConnectionPool.from_url(
                    settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
                )
                self.line = pool.make_connection()
            self.line.send_command("EVALSHA", SHA, len(keys), *keys, *values)
            answer: list[int] = self.line.read_response()
        except redis.exceptions.NoScriptError:  # it has started anew
            self.line.send_command("EVAL", SCRIPT, len(keys), *keys, *values)
            answer = self.line.read_response()
        except redis.ConnectionError:
            if not kept:
                raise
            self.line = None
            return self._ask(keys, values)
        return answer


_shared = _Shared()


def call(limits: list[Limit], tenant_id: str | None = None) -> tuple[list[str], list[str | int]]:
    """The script's keys and arguments."""
    now = time.time()
    told = "" if tenant_id is None else request_counts.key(tenant_id, now)
    limited = [part for limit in limits for part in (limit.per_minute, limit.kind)]
    return [*(limit.key for limit in limits), told], [WINDOW_MS, request_counts.minute(now), *limited]


def standing(limits: list[Limit], answer: list[int]) -> Standing:
    """The script's answer."""
    nearest, left, ends, refused = answer
    found = limits[nearest - 1]
    return Standing(found.kind, found.per_minute, left, ends, bool(refused))


def _pass(request: ApiHttpRequest, limits: list[Limit], tenant_id: str = "") -> None:
    if request.counted:  # the second look of a socket at who asks for it
        return
    try:
        found = _shared.count(limits, tenant_id)
    except redis.RedisError:
        UNCHECKED.inc()
        return
    if found is None:
        return
    request.rate_limit = found
    if found.refused:
        BLOCKED.labels(found.kind).inc()
        raise RateLimited(
            f"More than {found.limit} requests a minute by this {found.kind.replace('_', ' ')}; "
            f"try again in {found.retry_after} s.",
            found.retry_after,
            limit=found.limit,
            limited_by=found.kind,
        )


def pass_address(request: ApiHttpRequest) -> None:
    """Count a request of nobody known; RateLimited when its address has made too many."""
    _pass(request, [Limit("ip", origin.address(request), settings.RATE_LIMIT_IP)])


def pass_caller(request: ApiHttpRequest, identity: Any) -> None:
    """Count a request of a known caller; RateLimited when their user, API key or tenant has made too many."""
    if identity.key_id:
        own = Limit("api_key", str(identity.key_id), settings.RATE_LIMIT_API_KEY)
    else:
        own = Limit("user", str(identity.user.pk), settings.RATE_LIMIT_USER)
    _pass(request, [own, Limit("tenant", identity.tenant_id, settings.RATE_LIMIT_TENANT)], identity.tenant_id)


def pass_task_address(request: ApiHttpRequest) -> None:
    """Count a request to /tasks of nobody known."""
    _pass(request, [Limit("tasks", origin.address(request), settings.RATE_LIMIT_TASKS)])


def pass_task_caller(request: ApiHttpRequest, identity: Any) -> None:
    """Count a request to /tasks of a known caller, among all that their tenant makes."""
    own = Limit("tasks", str(identity.user.pk), settings.RATE_LIMIT_TASKS)
    _pass(request, [own, Limit("tenant", identity.tenant_id, settings.RATE_LIMIT_TENANT)], identity.tenant_id)


def pass_login(address: str, account: str) -> None:
    """Count an attempt to log in, by account and address together (so that nobody is locked out from elsewhere) and,
    ten times as many, by address. RateLimited, also for the right password, when there were too many.
    """
    most = settings.RATE_LIMIT_LOGIN
    limits = [Limit("login", f"{address} {account}", most), Limit("login_address", address, most * 10)]
    try:
        found = _shared.count(limits, "")
    except redis.RedisError:
        raise Unavailable("Logins cannot be counted right now, so none is let in; try again shortly.") from None
    if found is not None and found.refused:
        BLOCKED.labels(found.kind).inc()
        told = f"Too many attempts to log in from here; try again in {found.retry_after} s."
        raise RateLimited(told, found.retry_after, limited_by=found.kind)


class Pace:
    """Model calls of an engine: who has made too many waits for the next window, and none fails for it."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self.script = client.register_script(SCRIPT)

    async def wait(self, who: str) -> None:
        """Return when this user (or tenant, of a run that no user has started) may make a model call."""
        limits = [Limit("llm", who, settings.RATE_LIMIT_LLM)]
        while settings.RATE_LIMIT_LLM:
            try:
                found = standing(limits, await self.script(*call(limits)))
            except (redis.RedisError, OSError):
                UNCHECKED.inc()
                return
            if not found.refused:
                return
            await asyncio.sleep(found.ends_in_ms / 1000)
