"""The program "agent_job": a built-in job agent's work, or the agent loop of a tenant's own agent, within its time."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from django.conf import settings

from agents.jobs.registry import JOB_AGENTS
from agents.loop.agent_loop import AgentRequest, load_agent, run_agent
from agents.loop.agent_program import output
from config.values.foreign_json import write_json
from config.values.json_types import JsonObject
from orchestration.program.registry import program
from orchestration.program.retry import StepFailed

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

KIND = "agent_job"
MESSAGE_KEYS = ("message", "prompt", "query")
START_STEP = "begun"


@program(KIND)
async def run_job(ctx: "RunContext") -> JsonObject:
    """The job's output_data."""
    run = ctx.run
    async with _time_limit(ctx, settings.JOB_TIMEOUT_S):
        built_in = JOB_AGENTS.get(run.subject_id)
        if built_in is not None and built_in.work is not None:
            return built_in.check_output(await built_in.work(ctx, built_in.check_input(run.input)))
        agent = await load_agent(ctx, run.subject_id)
        return output(await run_agent(ctx, agent, AgentRequest(message(run.input)), prefix="agent"))


def message(input: JsonObject) -> str:
    """The message for a tenant's agent: the input's only text, such as {"message": "…"}, as it is; else the input as
    JSON.
    """
    if len(input) == 1:
        key, value = next(iter(input.items()))
        if key in MESSAGE_KEYS and isinstance(value, str):
            return value
    return write_json(input, default=str).decode()


@asynccontextmanager
async def _time_limit(ctx: "RunContext", max_s: float) -> AsyncIterator[None]:
    """StepFailed once the work takes longer, counted from its first start, over all restarts."""

    async def now() -> float:
        return time.time()

    start: float = await ctx.step(START_STEP, now, type="note", pure=True, silent=True)
    limit = asyncio.timeout(max(start + max_s - time.time(), 0))
    try:
        async with limit:
            yield
    except TimeoutError:
        if limit.expired():
            raise StepFailed("job", f"The job took longer than {max_s:g} s.", TimeoutError.__name__) from None
        raise
