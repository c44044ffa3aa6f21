"""The bench's programs; the worker imports this file (WORKER_IMPORTS)."""

import asyncio
import random
from typing import Any

from orchestration.program.context import RunContext
from orchestration.program.registry import program

STEPS = 3
NOOP, TICKER, HOLD, AWAITED = "bench.noop", "bench.ticker", "bench.hold", "bench.awaited"


@program(NOOP)
async def run_noop(ctx: RunContext) -> dict[str, Any]:
    """Three steps that do nothing; each waits for its commit."""
    for number in range(STEPS):
        answer = await ctx.step(f"s{number}", _nothing, number)
    return answer


async def _nothing(number: int) -> dict[str, int]:
    return {"n": number}


@program(TICKER)
async def run_ticker(ctx: RunContext) -> None:
    """One step that emits `events` events, about `apart_s` from each other."""
    await ctx.step("tick", _tick, ctx)


async def _tick(ctx: RunContext) -> None:
    for number in range(ctx.run.input["events"]):
        await asyncio.sleep(ctx.run.input["apart_s"] * random.uniform(0.8, 1.2))  # noqa: S311
        ctx.emit("bench_tick", {"n": number}, "tick")


@program(AWAITED)
async def run_awaited(ctx: RunContext) -> None:
    """The same, once it is told to go."""
    await ctx.wait_event("go", "go")
    await ctx.step("tick", _tick, ctx)


@program(HOLD)
async def run_hold(ctx: RunContext) -> None:
    """One step that is under way for `hold_s`."""
    await ctx.step("hold", asyncio.sleep, ctx.run.input["hold_s"])
