"""A program's steps are recorded once, in order, with their events."""

import json
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from accounts.models import Tenant
from orchestration.program.context import RunContext
from orchestration.program.registry import program
from orchestration.program.retry import Retry
from orchestration.runs.commands import send_event
from tests.orchestration.running import EngineThread, ended, kinds, reached, start, steps

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
    assert (run.status, run.result) == ("completed", "nul \ufffd and surrogate \ufffd")


@program("test.no_json")
async def no_json(ctx: RunContext) -> None:
    """Answers something that is no JSON, in a step that would be tried again."""
    await ctx.step("odd", note, object(), retry=Retry(3, 0.01))


def test_a_result_that_is_no_json_fails_its_step(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.no_json"))
    assert run.result["error_type"] == "NotRecordable" and "step_failed" in kinds(run)


def test_a_call_whose_answer_cannot_be_recorded_is_not_made_again(engine: EngineThread, acme: Tenant) -> None:
    CALLS.clear()
    run = ended(start(acme, "test.no_json"))
    assert len(CALLS) == 1 and steps(run)["odd"].tries == 1 and "step_retried" not in kinds(run)


ODD: dict[str, Any] = {
    "digits": (10**30, "1" + "0" * 30),
    "nan": (float("nan"), None),
    "exponent": (1e16, 10**16),
    "beyond": (1e300, 1e300),
    "zero": (-0.0, 0.0),
    "set": ({1}, [1]),
    "tuple": ((1, 2), [1, 2]),
    "bytes": (b"ol\xc3\xa1", "olá"),
    "other bytes": (b"\xff", "/w=="),
    "decimal": (Decimal("1.50"), 1.5),
    "long decimal": (Decimal("0.12345678901234567890"), "0.12345678901234567890"),
    "date": (date(2024, 6, 1), "2024-06-01"),
    "uuid": (UUID(int=7), str(UUID(int=7))),
    "keys": ({1: "a", None: "b", "\ud83d\ude00\0": "c"}, {"1": "a", "null": "b", "😀\ufffd": "c"}),
    "halves": ("\ud83d\ude00 \ud83d", "😀 \ufffd"),
}
SEEN: dict[str, list[Any]] = {}


@program("test.odd_kinds")
async def odd_kinds(ctx: RunContext) -> None:
    """Answers what JSON does not have, and is put down afterwards, so that its record is read."""
    for name, (value, _) in ODD.items():
        SEEN.setdefault(name, []).append(await ctx.step(name, lambda value=value: value))
    await ctx.wait_event("pause", "go")


def test_a_value_is_used_as_it_is_recorded_and_read_again(engine: EngineThread, acme: Tenant) -> None:
    SEEN.clear()
    run = reached(start(acme, "test.odd_kinds"), "running")
    send_event(run.id, acme.id, "go", None)
    assert ended(run).status == "completed"
    for name, (_, value) in ODD.items():
        assert [(seen, type(seen)) for seen in SEEN[name]] == [(value, type(value))] * 2, name
        kept = steps(run)[name].output  # jsonb writes 1e300 out
        assert (float(kept) if name == "beyond" else kept) == value


DEEP: list[Any] = []


@program("test.deep")
async def deep(ctx: RunContext) -> Any:
    """Answers 300 levels, then nests what it has further and further."""
    value: Any = []
    for _ in range(300):
        value = [value]
    DEEP.append(await ctx.step("deep", lambda: value))
    wrapped: Any = "leaf"
    for n in range(300):
        wrapped = await ctx.step(f"wrap {n}", lambda inner=wrapped: {"in": inner}, pure=True)
    return wrapped


def test_what_is_nested_too_deep_is_kept_as_its_text(engine: EngineThread, acme: Tenant) -> None:
    DEEP.clear()
    run = ended(start(acme, "test.deep"))
    assert run.status == "completed" and DEEP == [{"text": "[" * 301 + "]" * 301}]
    assert "leaf" in json.dumps(run.result)


def test_a_value_that_holds_itself_fails_its_step(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.endless"))
    assert run.result["error_type"] == "NotRecordable" and "holds itself" in run.result["error"]


@program("test.endless")
async def endless(ctx: RunContext) -> None:
    """Answers a list that is its own item."""
    value: list[Any] = []
    value.append(value)
    await ctx.step("odd", lambda: value)


@program("test.branches")
async def branches(ctx: RunContext) -> list:
    """Three branches at the same time."""
    return await ctx.gather(*[ctx.step(f"b{n}", note, str(n)) for n in range(3)])


def test_branches_answer_in_their_order(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.branches"))
    assert run.result == [{"said": "0"}, {"said": "1"}, {"said": "2"}]
