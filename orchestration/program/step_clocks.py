"""Time limits of steps, which do not count the time that a person takes to decide."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

# The limits of the steps that we are in, the innermost last.
_limits: ContextVar[tuple[asyncio.Timeout, ...]] = ContextVar("limits", default=())


@asynccontextmanager
async def time_limit(seconds: float | None) -> AsyncIterator[None]:
    """Raises TimeoutError after so many seconds; None = no limit."""
    if seconds is None:
        yield
        return
    async with asyncio.timeout(seconds) as limit:
        token = _limits.set((*_limits.get(), limit))
        try:
            yield
        finally:
            _limits.reset(token)


@contextmanager
def limits_suspended() -> Iterator[None]:
    """The time that passes inside counts against no step's limit."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    deadlines = [(limit, limit.when()) for limit in _limits.get()]
    for limit, deadline in deadlines:
        if deadline is not None:
            limit.reschedule(None)
    try:
        yield
    finally:
        seconds = loop.time() - started
        for limit, deadline in deadlines:
            if deadline is not None and not limit.expired():
                limit.reschedule(deadline + seconds)
