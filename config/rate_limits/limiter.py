"""Rate limits: counted in Redis by one script, so that they are exact over any number of threads, processes and hosts.

A window of a minute begins with its first request. Authenticated requests are counted by user or API key, and by
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

from config.errors import RateLimited, Unavailable
from config.http import origin
from config.http.api_request import ApiHttpRequest
from config.http.error_handler import BROKER_DOWN
from config.processes.metrics import counter
from config.rate_limits import request_counts

WINDOW_MS = 60_000
RETRY_S = 1.0  # after a failure Redis is not asked again for so long
TIMEOUT_S = 0.25
# All or nothing: a request that one limit refuses is not counted by the others. Answers the limit that is nearest to
# its end: (its number, requests remaining, milliseconds until the window ends, whether it refuses). KEYS are the
# limits' counters and last the tenant's traffic ("" = in none); ARGV the window's length, the minute, then for each
# limit the number allowed and its kind.
SCRIPT = (
    request_counts.COUNT_FUNCTION
    + """
local nearest, left, ends, traffic_key = 1, nil, 0, KEYS[#KEYS]
for i = 1, #KEYS - 1 do
    local rest = tonumber(ARGV[2 * i + 1]) - tonumber(redis.call('GET', KEYS[i]) or '0')
    if rest <= 0 then
        if traffic_key ~= '' then count(traffic_key, ARGV[2], ARGV[2 * i + 2]) end
        return {i, 0, math.max(redis.call('PTTL', KEYS[i]), 1), 1}
    end
    if left == nil or rest < left then nearest, left = i, rest end
end
for i = 1, #KEYS - 1 do
    if redis.call('INCR', KEYS[i]) == 1 then redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
    if i == nearest then ends = redis.call('PTTL', KEYS[i]) end
end
if traffic_key ~= '' then count(traffic_key, ARGV[2]) end
return {nearest, left - 1, ends, 0}
"""
)
REFUSALS = counter("regente_rate_limit_blocked", "Requests that a rate limit refused.", ["kind"])
UNCOUNTED_REQUESTS = counter("regente_rate_limit_unchecked", "Requests that passed uncounted because Redis was away.")


@dataclass(frozen=True)
class LimitState:
    """The limit of a caller that has the fewest requests left in its window."""

    kind: str
    limit: int
    remaining: int
    ends_in_ms: int
    is_refused: bool

    def headers(self, in_seconds: bool = False) -> dict[str, str]:
        """The contract's headers; the window's end is a time (seed 000 §17), or in seconds since 1970 (seed 003)."""
        at = time.time() + self.ends_in_ms / 1000
        ends = str(round(at)) if in_seconds else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": ends,
        }

    @property
    def retry_after(self) -> int:
        """Whole seconds until the window ends."""
        return -(-self.ends_in_ms // 1000)


@dataclass(frozen=True)
class Limit:
    """So many a minute of this kind by this caller; 0 = without limit."""

    kind: str
    caller: str
    per_minute: int

    @property
    def key(self) -> str:
        """The counter's name; a hash, so that it shows no address or e-mail."""
        return f"regente:limit:{self.kind}:{hashlib.sha256(self.caller.encode()).hexdigest()[:32]}"


SHA = hashlib.sha1(SCRIPT.encode()).hexdigest()  # noqa: S324 (how Redis names scripts)


class _Counter(threading.local):
    """This thread's connection: one of its own, used directly, saves each request a client's work."""

    def __init__(self) -> None:
        self.connection: Any = None
        self.retry_at = 0.0

    def count(self, limits: list[Limit], tenant_id: str | None = None) -> LimitState | None:
        """The state after one more request; None without limits. redis.RedisError while Redis is away.

        `tenant_id`: the tenant in whose traffic it is counted; None = in none.
        """
        limits = [limit for limit in limits if limit.per_minute]
        if not limits:
            return None
        if time.monotonic() < self.retry_at:
            raise redis.ConnectionError("Redis was away a moment ago.")
        try:
            return limit_state(limits, self._run_script(*call(limits, tenant_id)))
        except BROKER_DOWN:
            self.connection, self.retry_at = None, time.monotonic() + RETRY_S
            raise

    def _run_script(self, keys: list[str], values: list[str | int]) -> list[int]:
        """The script's answer; a connection that has ended meanwhile is made again, once."""
        is_reused = self.connection is not None
        try:
            if not is_reused:
                pool = redis.ConnectionPool.from_url(
                    settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
                )
                self.connection = pool.make_connection()
            self.connection.send_command("EVALSHA", SHA, len(keys), *keys, *values)
            answer: list[int] = self.connection.read_response()
        except redis.exceptions.NoScriptError:  # Redis was restarted
            self.connection.send_command("EVAL", SCRIPT, len(keys), *keys, *values)
            answer = self.connection.read_response()
        except redis.ConnectionError:
            if not is_reused:
                raise
            self.connection = None
            return self._run_script(keys, values)
        return answer


_counter = _Counter()


def call(limits: list[Limit], tenant_id: str | None = None) -> tuple[list[str], list[str | int]]:
    """The script's keys and arguments."""
    now = time.time()
    traffic_key = "" if tenant_id is None else request_counts.key(tenant_id, now)
    arguments = [part for limit in limits for part in (limit.per_minute, limit.kind)]
    return [*(limit.key for limit in limits), traffic_key], [WINDOW_MS, request_counts.minute(now), *arguments]


def limit_state(limits: list[Limit], answer: list[int]) -> LimitState:
    """The script's answer as a state."""
    nearest, remaining, ends, is_refused = answer
    limit = limits[nearest - 1]
    return LimitState(limit.kind, limit.per_minute, remaining, ends, bool(is_refused))


def _pass(request: ApiHttpRequest, limits: list[Limit], tenant_id: str = "") -> None:
    if request.is_counted:  # a socket authenticates twice
        return
    try:
        state = _counter.count(limits, tenant_id)
    except redis.RedisError:
        UNCOUNTED_REQUESTS.inc()
        return
    if state is None:
        return
    request.rate_limit = state
    if state.is_refused:
        REFUSALS.labels(state.kind).inc()
        raise RateLimited(
            f"More than {state.limit} requests a minute by this {state.kind.replace('_', ' ')}; "
            f"try again in {state.retry_after} s.",
            state.retry_after,
            limit=state.limit,
            limited_by=state.kind,
        )


def pass_address(request: ApiHttpRequest) -> None:
    """Count a request without credentials; RateLimited when its address has made too many."""
    _pass(request, [Limit("ip", origin.address(request), settings.RATE_LIMIT_IP)])


def pass_caller(request: ApiHttpRequest, identity: Any) -> None:
    """Count a request of an authenticated caller; RateLimited when their user, API key or tenant has made too many."""
    if identity.key_id:
        own = Limit("api_key", str(identity.key_id), settings.RATE_LIMIT_API_KEY)
    else:
        own = Limit("user", str(identity.user.pk), settings.RATE_LIMIT_USER)
    _pass(request, [own, Limit("tenant", identity.tenant_id, settings.RATE_LIMIT_TENANT)], identity.tenant_id)


def pass_task_address(request: ApiHttpRequest) -> None:
    """Count a request to /tasks without credentials."""
    _pass(request, [Limit("tasks", origin.address(request), settings.RATE_LIMIT_TASKS)])


def pass_task_caller(request: ApiHttpRequest, identity: Any) -> None:
    """Count a request to /tasks of an authenticated caller, among all that their tenant makes."""
    own = Limit("tasks", str(identity.user.pk), settings.RATE_LIMIT_TASKS)
    _pass(request, [own, Limit("tenant", identity.tenant_id, settings.RATE_LIMIT_TENANT)], identity.tenant_id)


def pass_login(address: str, account: str) -> None:
    """Count an attempt to log in, by account and address together (so that nobody is locked out from elsewhere) and,
    ten times as many, by address. RateLimited, also for the right password, when there were too many.
    """
    maximum = settings.RATE_LIMIT_LOGIN
    limits = [Limit("login", f"{address} {account}", maximum), Limit("login_address", address, maximum * 10)]
    try:
        state = _counter.count(limits, "")
    except redis.RedisError:
        raise Unavailable("Logins cannot be counted right now, so none is let in; try again shortly.") from None
    if state is not None and state.is_refused:
        REFUSALS.labels(state.kind).inc()
        message = f"Too many attempts to log in from here; try again in {state.retry_after} s."
        raise RateLimited(message, state.retry_after, limited_by=state.kind)


class Pace:
    """Model calls of an engine: who has made too many waits for the next window, and no call fails for it."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self.script = client.register_script(SCRIPT)

    async def wait(self, caller: str) -> None:
        """Return when this user (or tenant, of a run that no user has started) may make a model call."""
        limits = [Limit("llm", caller, settings.RATE_LIMIT_LLM)]
        while settings.RATE_LIMIT_LLM:
            try:
                state = limit_state(limits, await self.script(*call(limits)))
            except (redis.RedisError, OSError):
                UNCOUNTED_REQUESTS.inc()
                return
            if not state.is_refused:
                return
            await asyncio.sleep(state.ends_in_ms / 1000)
