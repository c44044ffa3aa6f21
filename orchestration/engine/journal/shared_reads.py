"""Reads that many runs make at once: those who ask for the same thing while it is being read share the next reading."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Load = Callable[[Callable[[], Any]], Awaitable[Any]]


class SharedReads:
    """Single flight, and never stale: who asks during a reading gets one that begins after the question."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.running: dict[tuple[Any, ...], asyncio.Task[Any]] = {}
        self.following: dict[tuple[Any, ...], asyncio.Task[Any]] = {}

    async def get(self, key: tuple[Any, ...], loader: Callable[[], Any]) -> Any:
        """The loader's value."""
        task = self.following.get(key)
        if task is None:
            before = self.running.get(key)
            task = asyncio.create_task(self._read(key, loader, before))
            (self.running if before is None else self.following)[key] = task
        return await asyncio.shield(task)

    async def _read(self, key: tuple[Any, ...], loader: Callable[[], Any], before: "asyncio.Task[Any] | None") -> Any:
        me = asyncio.current_task()
        if before is not None:
            await asyncio.wait([before])
            self.running[key] = self.following.pop(key)
        try:
            return await self.load(loader)
        finally:
            if self.running.get(key) is me:
                del self.running[key]
