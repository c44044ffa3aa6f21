"""The program "agent_job": a built-in job agent's work, or the agent loop of a tenant's own agent, within its time."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from django.conf import settings

from agents.jobs.registry import JOB_AGENTS
from agents.loop.agent_loop import AgentRequest, load_agent, run_agent
from agents.loop.agent_program import output
from config.values.foreign_json import write_json
from orchestration.program.registry import program
from orchestration.program.retry import StepFailed

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

KIND = "agent_job"
MESSAGE_KEYS = ("message", "prompt", "query")


@program(KIND)
async def run_job(ctx: "RunContext") -> dict[str, Any]:
    """The job's output_data."""
    run = ctx.run
    async with _in_time(ctx, settings.JOB_TIMEOUT_S):
        built_in = JOB_AGENTS.get(run.subject_id)
        if built_in is not None and built_in.work is not None:
            return built_in.finished(await built_in.work(ctx, built_in.checked(run.input)))
        agent = await load_agent(ctx, run.subject_id)
        return output(await run_agent(ctx, agent, AgentRequest(message(run.input)), prefix="agent"))


def message(given: dict[str, Any]) -> str:
    """What a tenant's agent is told: the input's only text, such as {"message": "…"}, as it is; else the input as
    JSON.
    """
    if len(given) == 1:
        key, value = next(iter(given.items()))
        if key in MESSAGE_KEYS and isinstance(value, str):
            return value
    return write_json(given, default=str).decode()


@asynccontextmanager
async def _in_time(ctx: "RunContext", most_s: float) -> AsyncIterator[None]:
    """Ends the work when it takes longer, counted from its first beginning, whatever crashes in between."""

    async def begun() -> float:
        return time.time()

    began: float = await ctx.step("begun", begun, type="note", pure=True, silent=True)
    limit = asyncio.timeout(max(began + most_s - time.time(), 0))
    try:
        async with limit:
            yield
    except TimeoutError:
        if limit.expired():
            raise StepFailed("job", f"The job took longer than {most_s:g} s.", TimeoutError.__name__) from None
        raise
