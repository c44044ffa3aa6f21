"""A program's steps are recorded once, in order, with their events."""

from accounts.models import Tenant
from orchestration.context import RunContext
from orchestration.programs import program
from tests.orchestration.running import EngineThread, ended, kinds, start, steps

CALLS: list[str] = []


def note(text: str) -> dict:
    """A step that leaves a trace in this process."""
    CALLS.append(text)
    return {"said": text}


@program("test.two_steps")
async def two_steps(ctx: RunContext) -> dict:
    """One recorded step, one that only computes."""
    first = await ctx.step("first", note, ctx.run.input["word"])
    return await ctx.step("second", lambda: first | {"more": True}, pure=True)


def test_a_program_runs_to_its_result(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.two_steps", {"word": "hello"}))
    assert (run.status, run.result) == ("completed", {"said": "hello", "more": True})
    assert run.started_at and run.finished_at and run.owner is None


def test_each_step_is_told_and_recorded(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.two_steps", {"word": "hi"}))
    assert kinds(run) == ["run_started", *["step_started", "step_completed"] * 2, "run_completed"]
    assert {name: step.status for name, step in steps(run).items()} == {"first": "completed", "second": "completed"}


@program("test.again")
async def again(ctx: RunContext) -> list:
    """Asks for the same step twice: the second time it is looked up."""
    return [await ctx.step("once", note, "x"), (await ctx.step("once", note, "y"))]


def test_a_step_is_done_once_whoever_asks_again(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.again"))
    assert run.result == [{"said": "x"}, {"said": "x"}] and len(steps(run)) == 1


@program("test.broken")
async def broken(ctx: RunContext) -> None:
    """Fails in a step."""
    await ctx.step("bad", lambda: 1 / 0)


def test_a_failing_step_fails_the_run_and_says_why(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.broken"))
    assert (run.status, run.failure_reason) == ("failed", "error")
    assert run.result == {"error": "division by zero", "error_type": "ZeroDivisionError"}
    assert kinds(run) == ["run_started", "step_started", "step_failed", "run_failed"]


def test_a_kind_without_program_fails(engine: EngineThread, acme: Tenant) -> None:
    assert ended(start(acme, "test.nothing")).result["error_type"] == "UnknownKind"


@program("test.odd_values")
async def odd_values(ctx: RunContext) -> str:
    """Records what jsonb does not take."""
    return await ctx.step("odd", lambda: "nul \x00 and surrogate \ud800")


def test_values_that_jsonb_refuses_are_cleaned(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.odd_values"))
    assert (run.status, run.result) == ("completed", "nul \ufffd and surrogate ?")


@program("test.no_json")
async def no_json(ctx: RunContext) -> None:
    """Answers something that is no JSON."""
    await ctx.step("set", lambda: {1, 2})


def test_a_result_that_is_no_json_fails_its_step(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.no_json"))
    assert run.result["error_type"] == "NotRecordable" and "step_failed" in kinds(run)


@program("test.branches")
async def branches(ctx: RunContext) -> list:
    """Three branches at the same time."""
    return await ctx.gather(*[ctx.step(f"b{n}", note, str(n)) for n in range(3)])


def test_branches_answer_in_their_order(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.branches"))
    assert run.result == [{"said": "0"}, {"said": "1"}, {"said": "2"}]
