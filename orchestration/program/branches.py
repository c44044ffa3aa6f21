"""The branches of a run's program: how many move, which of them wait, and when all of them do.

A wait holds no thread and no connection; a run whose branches all wait is soon put down altogether.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

WaitKind = Literal["timer", "event", "approval", "child", "handover"]
IDLE_S = 1.0  # for so long a run that only waits stays in memory: shorter waits end without a new claim


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Wait:
    """One branch that waits: `until` is when it looks again by itself, `future` gets what it waits for."""

    step: str
    kind: WaitKind
    until: datetime | None
    future: "asyncio.Future[Any]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    event: str = ""
    timer: asyncio.TimerHandle | None = field(default=None, repr=False)


class Branches:
    """Counts a run's branches; calls `on_idle` when all of them wait."""

    def __init__(self, on_idle: Callable[[], None]) -> None:
        self.count = 1
        self.waits: list[Wait] = []
        self._on_idle = on_idle
        self._timer: asyncio.TimerHandle | None = None

    @property
    def due(self) -> datetime | None:
        """When the first of the waits looks again by itself; None when all wait for something to come in."""
        if self._hands_over:
            return now()
        return min((wait.until for wait in self.waits if wait.until), default=None)

    @property
    def paused(self) -> bool:
        """Whether a person is to decide something."""
        return any(wait.kind == "approval" for wait in self.waits)

    @property
    def _hands_over(self) -> bool:
        return any(wait.kind == "handover" for wait in self.waits)

    @property
    def _idle(self) -> bool:
        return bool(self.waits) and len(self.waits) >= self.count

    async def gather(self, *coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
        """The results of these branches in order; the first failure ends the other branches and is raised."""
        if not coroutines:
            return []
        self.count += len(coroutines) - 1
        tasks = [asyncio.create_task(self._branch(coroutine)) for coroutine in coroutines]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.count += 1  # the branch that was split goes on

    async def _branch(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await coroutine
        finally:
            self.count -= 1
            self._check_idle()

    async def wait(self, wait: Wait) -> Any:
        """The result of the wait's future; TimeoutError when its time comes first (for a timer that is its end)."""
        self.waits.append(wait)
        if wait.until is not None:
            delay = max((wait.until - now()).total_seconds(), 0)
            wait.timer = asyncio.get_running_loop().call_later(delay, _expire, wait.future)
        self._check_idle()
        try:
            return await wait.future
        finally:
            self.waits.remove(wait)
            if wait.timer:
                wait.timer.cancel()
            self._check_idle()

    async def sleep_until(self, step: str, until: datetime) -> None:
        """Return at this moment, which is recorded already."""
        if until > now():
            try:
                await self.wait(Wait(step, "timer", until))
            except TimeoutError:
                return

    async def hand_over(self, step: str) -> None:
        """Wait for the other branches to come to a wait or the end of a step; then the run is put down."""
        await self.wait(Wait(step, "handover", None))

    def _check_idle(self) -> None:
        """When all branches wait, `on_idle` is called: at once when a person decides, after IDLE_S otherwise."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._idle:
            delay = 0.0 if self.paused or self._hands_over else IDLE_S
            self._timer = asyncio.get_running_loop().call_later(delay, self._report_idle)

    def _report_idle(self) -> None:
        if self._idle:
            self._on_idle()


def _expire(future: "asyncio.Future[Any]") -> None:
    if not future.done():
        future.set_exception(TimeoutError())
