"""What a run can wait for.

A wait holds no thread and no connection; when a run only waits, it is soon put down altogether.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Kind = Literal["timer", "event", "approval", "child", "handover"]
LINGER_S = 1.0  # how long a run that only waits stays in memory: shorter waits end without a new claim
CHILD_NET_S = 30.0  # a parent looks at its children at least this often, whatever becomes of the poke


# The timeouts of the steps that we are in, the innermost last: they do not run while a person is asked.
_clocks: ContextVar[tuple[asyncio.Timeout, ...]] = ContextVar("clocks", default=())


@asynccontextmanager
async def clocked(seconds: float | None) -> AsyncIterator[None]:
    """What is inside has so much time; TimeoutError after that."""
    if seconds is None:
        yield
        return
    async with asyncio.timeout(seconds) as clock:
        token = _clocks.set((*_clocks.get(), clock))
        try:
            yield
        finally:
            _clocks.reset(token)


@contextmanager
def clocks_stopped() -> Iterator[None]:
    """The time of the steps around stands still inside."""
    began = asyncio.get_running_loop().time()
    running = [(clock, clock.when()) for clock in _clocks.get()]
    for clock, when in running:
        if when is not None:
            clock.reschedule(None)
    try:
        yield
    finally:
        passed = asyncio.get_running_loop().time() - began
        for clock, when in running:
            if when is not None and not clock.expired():
                clock.reschedule(when + passed)


@dataclass(slots=True)
class Wait:
    """One branch that waits: `until` is when it looks again by itself, `future` gives it what it waits for."""

    step: str
    kind: Kind
    until: datetime | None
    future: "asyncio.Future[Any]"
    event: str = ""
    timer: asyncio.TimerHandle | None = field(default=None, repr=False)


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class Branches:
    """Counts a run's live branches and those that wait; says when all of them do."""

    def __init__(self, when_idle: Any) -> None:
        self.live = 1
        self.waits: list[Wait] = []
        self.when_idle = when_idle
        self.handle: asyncio.TimerHandle | None = None

    @property
    def due(self) -> datetime | None:
        """When the first of the waits looks again by itself; None when all wait to be poked."""
        if self.handed_over:
            return now()
        return min((wait.until for wait in self.waits if wait.until), default=None)

    @property
    def paused(self) -> bool:
        """A person is asked for."""
        return any(wait.kind == "approval" for wait in self.waits)

    @property
    def handed_over(self) -> bool:
        """Another engine is to go on with the run."""
        return any(wait.kind == "handover" for wait in self.waits)

    @property
    def idle(self) -> bool:
        """Nothing of this run moves by itself."""
        return bool(self.waits) and len(self.waits) >= self.live

    def fork(self, count: int) -> None:
        """A branch splits into this many."""
        self.live += count - 1

    def leave(self) -> None:
        """A branch has ended."""
        self.live -= 1
        self.look()

    def join(self) -> None:
        """The branch that had split goes on."""
        self.live += 1

    def look(self) -> None:
        """When all branches wait: at once for a person, after a moment for anything else, `when_idle` is called."""
        if self.handle:
            self.handle.cancel()
            self.handle = None
        if self.idle:
            delay = 0.0 if self.paused or self.handed_over else LINGER_S
            self.handle = asyncio.get_running_loop().call_later(delay, self._fire)

    def _fire(self) -> None:
        if self.idle:
            self.when_idle()

    async def hand_over(self, step: str) -> None:
        """Wait for the other branches to come to a wait or the end of a step; then the run is put down."""
        await self.park(Wait(step, "handover", None, asyncio.get_running_loop().create_future()))

    async def park(self, wait: Wait) -> Any:
        """What the wait is given; TimeoutError when its time comes first (for a timer that is its end)."""
        self.waits.append(wait)
        if wait.until is not None:
            left = max((wait.until - now()).total_seconds(), 0)
            wait.timer = asyncio.get_running_loop().call_later(left, _expire, wait.future)
        self.look()
        try:
            return await wait.future
        finally:
            self.waits.remove(wait)
            if wait.timer:
                wait.timer.cancel()
            self.look()


def _expire(future: "asyncio.Future[Any]") -> None:
    if not future.done():
        future.set_exception(TimeoutError())
