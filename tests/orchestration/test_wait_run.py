"""Timers, events, people and children: what a run waits for, and that it is put down meanwhile."""

import uuid

import pytest
from django.db import transaction

from accounts.models import Tenant
from config.errors import Conflict, Forbidden
from orchestration.models import Approval, Run, Signal
from orchestration.program.context import RunContext
from orchestration.program.registry import program
from orchestration.program.waits.approvals import Question
from orchestration.runs.commands import Actor, cancel_run, send_event
from orchestration.runs.decisions import NotPaused, Verdict, resume_run
from tests.orchestration.running import EngineThread, ended, kinds, reached, start, steps, until

DEVELOPER = Actor(uuid.uuid4(), "developer")


@program("test.timer")
async def timer(ctx: RunContext) -> str:
    """Sleeps as long as it is told."""
    await ctx.sleep("nap", ctx.run.input["seconds"])
    return "awake"


def test_a_short_timer_ends_in_memory(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.timer", {"seconds": 0.2}))
    assert (run.result, run.attempt) == ("awake", 1)


def test_a_long_timer_puts_the_run_down_and_claims_it_again(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.timer", {"seconds": 2}))
    assert (run.result, run.attempt) == ("awake", 2) and kinds(run) == ["run_started", "run_completed"]
    assert steps(run)["nap"].status == "completed" and (run.finished_at - run.started_at).total_seconds() >= 2


@program("test.event")
async def event(ctx: RunContext) -> dict:
    """Waits for `paid`."""
    return await ctx.wait_event("paid", "paid", ctx.run.input.get("timeout_s"))


def test_an_event_ends_the_wait_with_its_payload(engine: EngineThread, acme: Tenant) -> None:
    run = start(acme, "test.event")
    until(lambda: "paid" in steps(run))
    send_event(run.id, acme.id, "else", {"n": 0})
    send_event(run.id, acme.id, "paid", {"n": 1})
    assert ended(run).result == {"n": 1}
    assert list(Signal.all_tenants.filter(run_id=run.id).values_list("name", "taken_by")) == [
        ("else", ""),
        ("paid", "paid"),
    ]


def test_an_event_wakes_a_run_that_was_put_down(engine: EngineThread, acme: Tenant) -> None:
    run = start(acme, "test.event")
    until(lambda: Run.all_tenants.filter(pk=run.pk, owner=None, status="running").exists())
    send_event(run.id, acme.id, "paid", {"n": 2})
    assert ended(run).result == {"n": 2}


def test_an_early_event_is_kept(engine: EngineThread, acme: Tenant) -> None:
    engine.drain()
    run = start(acme, "test.event")
    send_event(run.id, acme.id, "paid", {"n": 3})
    with_new_engine = EngineThread()
    assert ended(run).result == {"n": 3}
    with_new_engine.drain()


def test_an_event_that_does_not_come_fails_the_step(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.event", {"timeout_s": 0.1}))
    assert (run.failure_reason, run.result["error_type"]) == ("timeout", "EventTimeout")


def test_a_finished_run_takes_no_events(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.timer", {"seconds": 0}))
    with pytest.raises(Conflict):
        send_event(run.id, acme.id, "paid", None)


@program("test.two_events")
async def two_events(ctx: RunContext) -> list:
    """Two branches that wait for the same name."""
    return await ctx.gather(*[ctx.wait_event(f"w{n}", "paid", 30) for n in range(2)])


def test_each_event_goes_to_one_wait(engine: EngineThread, acme: Tenant) -> None:
    run = start(acme, "test.two_events")
    until(lambda: len(steps(run)) == 2)
    for n in range(2):
        send_event(run.id, acme.id, "paid", {"n": n})
    assert sorted(payload["n"] for payload in ended(run).result) == [0, 1]


@program("test.gate")
async def gate(ctx: RunContext) -> dict:
    """Asks a person."""
    role = ctx.run.input.get("role", "developer")
    expires = ctx.run.input.get("expires_s")
    return await ctx.approval("gate", Question("gate", "Really?", role, expires))


def test_a_yes_lets_the_run_go_on(engine: EngineThread, acme: Tenant) -> None:
    run = start(acme, "test.gate")
    reached(run, "paused")
    resume_run(run.id, acme.id, DEVELOPER, Verdict(True, "looks good"))
    told = {"approved": True, "comment": "looks good", "decided_by": str(DEVELOPER.user_id)}
    assert ended(run).result == told | {"approval_id": str(Approval.all_tenants.get(run_id=run.id).pk)}
    middle = ["approval_requested", "run_paused", "approval_decided", "run_resumed"]
    assert kinds(run) == ["run_started", *middle, "run_completed"]


def test_a_no_cancels_the_run(engine: EngineThread, acme: Tenant) -> None:
    run = start(acme, "test.gate")
    reached(run, "paused")
    resume_run(run.id, acme.id, DEVELOPER, Verdict(False, "no"))
    run = ended(run)
    assert (run.status, run.failure_reason, run.result) == (
        "cancelled",
        "rejected",
        {"rejected": True, "comment": "no"},
    )


def test_a_gate_asks_for_its_role(engine: EngineThread, acme: Tenant) -> None:
    run = start(acme, "test.gate", {"role": "admin"})
    reached(run, "paused")
    with pytest.raises(Forbidden):
        resume_run(run.id, acme.id, DEVELOPER, Verdict(True, ""))
    assert Run.all_tenants.get(pk=run.pk).status == "paused"


def test_only_a_paused_run_is_resumed(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.timer", {"seconds": 0}))
    with pytest.raises(NotPaused):
        resume_run(run.id, acme.id, DEVELOPER, Verdict(True, ""))


def test_an_expired_gate_fails_the_run(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.gate", {"expires_s": 0.3}))
    assert (run.status, run.failure_reason) == ("failed", "approval_expired")


@program("test.parent")
async def parent(ctx: RunContext) -> list:
    """Starts two children."""
    kind = ctx.run.input["child"]
    calls = [ctx.child(f"c{n}", kind=kind, subject_id="x", input=ctx.run.input.get("input", {})) for n in range(2)]
    return await ctx.gather(*calls)


def test_children_answer_their_parent(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.parent", {"child": "test.timer", "input": {"seconds": 0.1}}))
    assert run.result == ["awake", "awake"]
    assert Run.all_tenants.filter(parent_id=run.id, status="completed").count() == 2


def test_a_failing_child_fails_its_parent(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.parent", {"child": "test.nothing"}))
    assert (run.status, run.result["error_type"]) == ("failed", "UnknownKind")


@pytest.mark.parametrize("kind", ["test.timer", "test.gate", "test.event", "test.waits_long"])
def test_a_waiting_run_is_cancelled_at_once(engine: EngineThread, acme: Tenant, kind: str) -> None:
    run = start(acme, kind, {"seconds": 60})
    until(lambda: "run_started" in kinds(run))
    cancel_run(run.id, acme.id)
    assert ended(run).status == "cancelled" and kinds(run)[-1] == "run_cancelled"


def test_a_pending_run_is_cancelled_without_an_engine(acme: Tenant) -> None:
    run = start(acme, "test.timer", {"seconds": 1})
    cancel_run(run.id, acme.id)
    assert ended(run).status == "cancelled" and kinds(run) == ["run_cancelled"]


def test_cancelling_a_parent_cancels_its_children(engine: EngineThread, acme: Tenant) -> None:
    run = start(acme, "test.parent", {"child": "test.timer", "input": {"seconds": 60}})
    until(lambda: Run.all_tenants.filter(parent_id=run.id, status="running").count() == 2)
    cancel_run(run.id, acme.id)
    assert ended(run).status == "cancelled"
    until(lambda: Run.all_tenants.filter(parent_id=run.id, status="cancelled").count() == 2)


def test_a_cancel_that_comes_as_the_run_ends_is_too_late(engine: EngineThread, acme: Tenant) -> None:
    run = start(acme, "test.timer", {"seconds": 0.8})
    until(lambda: "nap" in steps(run))
    with transaction.atomic():  # the run's row is ours, so its last write waits for us
        Run.all_tenants.select_for_update().get(pk=run.pk)
        held_run = engine.engine.runs[run.id]
        until(lambda: held_run.ctx.writer.is_closed)
        engine.call(lambda: held_run.stop("cancel"))
    assert ended(run).status == "completed" and kinds(run) == ["run_started", "run_completed"]


def test_a_finished_run_stays_as_it_ended(engine: EngineThread, acme: Tenant) -> None:
    run = ended(start(acme, "test.timer", {"seconds": 0}))
    assert cancel_run(run.id, acme.id).status == "completed"
