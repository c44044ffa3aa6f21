"""Passing faults are tried again, with backoff; final ones are not; a step has a time limit."""

import asyncio

import pytest

from accounts.models import Tenant
from config.errors import DomainError
from orchestration.program.context import RunContext
from orchestration.program.registry import program
from orchestration.program.retry import Retry, Transient
from tests.orchestration.running import EngineThread, ended, kinds, start, steps

TRIES: dict[str, int] = {}


def fails(name: str, times: int, fault: Exception) -> str:
    """Fails so many times, then answers."""
    TRIES[name] = TRIES.get(name, 0) + 1
    if TRIES[name] <= times:
        raise fault
    return "fine"


@program("test.flaky")
async def flaky(ctx: RunContext) -> str:
    """A step with three tries."""
    fault = DomainError("refused") if ctx.run.input.get("final") else Transient("busy")
    args = (str(ctx.run.id), ctx.run.input["times"], fault)
    return await ctx.step("call", fails, *args, retry=Retry(3, 0.01))


def test_a_passing_fault_is_tried_again_and_told(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.flaky", {"times": 2}))
    assert (run.status, run.result) == ("completed", "fine")
    assert kinds(run).count("step_retried") == 2 and steps(run)["call"].tries == 3


def test_the_last_try_fails_the_run(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.flaky", {"times": 9}))
    assert run.result == {"error": "busy", "error_type": "Transient"}
    assert (kinds(run).count("step_retried"), TRIES[str(run.id)]) == (2, 3)


def test_a_refusal_is_not_tried_again(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.flaky", {"times": 9, "final": True}))
    assert run.status == "failed" and TRIES[str(run.id)] == 1


@program("test.nested")
async def nested(ctx: RunContext) -> str:
    """A step whose second half fails once, and then, put down in between, is tried again."""

    async def both() -> str:
        await ctx.step("paid", fails, f"{ctx.run.id} paid", 0, Transient(""), silent=True)
        return await ctx.step("busy", fails, f"{ctx.run.id} busy", 1, Transient("busy"), silent=True)

    return await ctx.step("outer", both, retry=Retry(3, ctx.run.input["backoff_s"]))


@pytest.mark.parametrize("backoff_s", [0.01, 2])
def test_another_try_repeats_only_what_had_failed_inside(engine: EngineThread, acme: Tenant, backoff_s: float) -> None:
    run = ended(start(acme, "test.nested", {"backoff_s": backoff_s}))
    assert (run.status, run.result) == ("completed", "fine")
    assert (TRIES[f"{run.id} paid"], TRIES[f"{run.id} busy"]) == (1, 2)


@program("test.slow")
async def slow(ctx: RunContext) -> None:
    """A step that takes longer than it may."""
    await ctx.step("nap", asyncio.sleep, 30, timeout_s=0.05)


def test_a_step_over_its_time_fails(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.slow"))
    assert (run.status, run.failure_reason) == ("failed", "timeout")


def test_latency_ends_a_run_in_the_middle_of_a_step(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.waits_long", latency_limit_ms=100))
    assert (run.status, run.failure_reason) == ("failed", "budget_exceeded") and "budget_exceeded" in kinds(run)
