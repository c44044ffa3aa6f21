"""A failed run leaves one line in the log: which run, whose, why; nothing of its input."""

import asyncio
import logging

import pytest

from accounts.models import Tenant
from orchestration.models import Run
from orchestration.program.context import RunContext
from orchestration.program.registry import program
from orchestration.program.waits.approvals import Question
from tests.orchestration.running import EngineThread, ended, start

SECRET = "the guest's own words"


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    """What the engine logs is kept."""
    caplog.set_level(logging.INFO, "orchestration")


def of(log: pytest.LogCaptureFixture, run: Run) -> list[logging.LogRecord]:
    """The lines of its failure."""
    return [line for line in log.records if getattr(line, "run", None) == str(run.pk) and "failed" in line.getMessage()]


@program("test.log_step")
async def log_step(ctx: RunContext) -> None:
    """Fails in a step, with the input in the error's text."""

    def fail() -> None:
        raise ValueError(ctx.run.input["text"])

    await ctx.step("bad", fail)


@program("test.log_bug")
async def log_bug(ctx: RunContext) -> None:
    """Fails outside of its steps."""
    raise RuntimeError("a fault of the program")


@program("test.log_gate")
async def log_gate(ctx: RunContext) -> None:
    """Asks a person who does not answer."""
    await ctx.approval("gate", Question("gate", "Really?", "developer", 0.2))


@program("test.log_event")
async def log_event(ctx: RunContext) -> None:
    """Waits for what does not come."""
    await ctx.wait_event("paid", "paid", 0.1)


@program("test.log_slow")
async def log_slow(ctx: RunContext) -> None:
    """Takes longer than it may."""
    await ctx.step("nap", asyncio.sleep, 5)


@program("test.log_parent")
async def log_parent(ctx: RunContext) -> None:
    """Fails by its child."""
    await ctx.child("c", kind="test.log_event", subject_id="x", input={})


@program("test.log_fine")
async def log_fine(ctx: RunContext) -> str:
    """Completes."""
    return "fine"


@pytest.mark.parametrize(
    ("kind", "reason", "error_type"),
    [
        ("test.log_step", "error", "ValueError"),
        ("test.log_gate", "approval_expired", "ApprovalExpired"),
        ("test.log_event", "timeout", "EventTimeout"),
        ("test.no_such_program", "error", "UnknownKind"),
    ],
)
def test_a_failed_run_leaves_one_line(
    engine: EngineThread, acme: Tenant, caplog: pytest.LogCaptureFixture, kind: str, reason: str, error_type: str
) -> None:
    run = ended(start(acme, kind, {"text": SECRET}, trace_id="trace-7"))
    engine.drain()
    assert run.status == "failed"
    (line,) = of(caplog, run)
    about = (line.tenant, line.trace, line.kind, line.reason, line.error_type)  # type: ignore[attr-defined]
    assert about == ("acme", "trace-7", kind, reason, error_type)
    text = line.getMessage()
    assert all(value in text for value in about) and str(run.pk) in text
    assert SECRET not in text and line.exc_info is None


def test_a_fault_of_the_program_has_its_traceback_in_the_same_line(
    engine: EngineThread, acme: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    run = ended(start(acme, "test.log_bug"))
    engine.drain()
    (line,) = of(caplog, run)
    assert line.levelno == logging.ERROR and line.exc_info and isinstance(line.exc_info[1], RuntimeError)


def test_a_run_out_of_time_leaves_a_line(engine: EngineThread, acme: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    run = ended(start(acme, "test.log_slow", latency_limit_ms=200))
    engine.drain()
    (line,) = of(caplog, run)
    assert line.reason == "budget_exceeded"  # type: ignore[attr-defined]


def test_a_parent_and_its_failed_child_leave_a_line_each(
    engine: EngineThread, acme: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    parent = ended(start(acme, "test.log_parent"))
    engine.drain()
    child = Run.all_tenants.get(parent_id=parent.pk)
    assert [len(of(caplog, run)) for run in (parent, child)] == [1, 1]


def test_a_completed_run_leaves_none(engine: EngineThread, acme: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    run = ended(start(acme, "test.log_fine"))
    engine.drain()
    assert run.status == "completed" and of(caplog, run) == []
