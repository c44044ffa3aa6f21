"""Waiting for a run's status in a request, without a thread or a connection: `Prefer: wait`."""

import asyncio
from collections.abc import Callable
from uuid import UUID

from orchestration.live.change_listener import STATE, followers
from orchestration.models import FINAL, Status


async def wait_for_change(run_id: UUID, status: str, seconds: float) -> None:
    """Return when the run's status is another one than this, or after so long."""
    await _wait_until(run_id, lambda current: current != status, seconds)


async def wait_for_end(run_id: UUID, seconds: float, or_paused: bool = False) -> UUID:
    """The run's id, once it has come to its end (or, `or_paused`, waits for a person), or after so long."""
    ends = {*FINAL, Status.PAUSED} if or_paused else FINAL
    await _wait_until(run_id, lambda current: current in ends, seconds)
    return run_id


async def _wait_until(run_id: UUID, is_reached: Callable[[str], bool], seconds: float) -> None:
    end = asyncio.get_running_loop().time() + seconds
    with followers.follow(run_id) as event:
        while (remaining := end - asyncio.get_running_loop().time()) > 0:
            rows = await followers.read(STATE, [run_id])
            if not rows or is_reached(rows[0]["status"]):
                return
            await followers.wait(event, remaining)
