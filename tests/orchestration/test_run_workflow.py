"""Workflows run by a real engine: steps and events are recorded, waits are waits, versions are pinned."""

from typing import Any

import pytest

from accounts.models import Tenant
from orchestration.models import Run, RunEvent
from orchestration.program.registry import NODES, NodeCall
from orchestration.program.registry import node as node_type
from orchestration.program.retry import Transient
from orchestration.runs.commands import Actor, send_event
from orchestration.runs.decisions import Verdict, resume_run
from orchestration.workflows.definition.workflow_versions import create_workflow, update_workflow
from tests.orchestration.definitions import edge, edges, graph, node, static
from tests.orchestration.running import EngineThread, ended, kinds, reached, start, steps, until

FLAKY: dict[str, int] = {}


@pytest.fixture(autouse=True)
def flaky_node() -> Any:
    """A node type of the tests, which fails as often as its config says, passingly."""
    kind = NODES.get("tool")

    @node_type("tool", takes_input=True)
    async def flaky(ctx: Any, call: NodeCall) -> Any:
        FLAKY[call.name] = FLAKY.get(call.name, 0) + 1
        if FLAKY[call.name] <= call.input.get("fail", 0):
            raise Transient("The line is busy.")
        return {"tries": FLAKY[call.name]}

    FLAKY.clear()
    yield
    NODES.pop("tool")
    if kind:
        NODES["tool"] = kind


def run_of(acme: Tenant, *nodes: dict[str, Any], ways: Any = None, input: Any = None, **more: Any) -> Run:
    """A started run of these nodes."""
    flow = create_workflow(acme.id, {"name": "flow", "type": "linear", "definition": graph(*nodes, ways=ways)})
    return start(acme, "workflow", input, subject_id=str(flow.id), subject_version=1, **more)


def test_a_workflow_runs_to_the_output_of_its_last_node(engine: EngineThread, acme: Tenant) -> None:
    run = ended(
        run_of(
            acme,
            static("a", n=1),
            node("b", "transform", output={"n": "$steps.a.n", "x": "$input.x"}),
            input={"x": 2},
        )
    )
    assert (run.status, run.result) == ("completed", {"n": 1, "x": 2})
    assert kinds(run) == ["run_started", *["step_started", "step_completed"] * 2, "run_completed"]
    assert {name: step.type for name, step in steps(run).items()} == {"a": "static", "b": "transform"}


def test_events_name_the_node_and_its_type(engine: EngineThread, acme: Tenant) -> None:
    run = ended(run_of(acme, static("a", n=1)))
    told = RunEvent.all_tenants.get(run_id=run.id, kind="step_completed").payload
    assert (told["node_id"], told["node_type"], told["output"]) == ("a", "static", {"n": 1})


def test_parallel_branches_join_once(engine: EngineThread, acme: Tenant) -> None:
    nodes = [node("fan", "parallel", branches=["a", "b"]), static("a", n=1), static("b", n=2)]
    join = node("join", "transform", output=["$steps.a.n", "$steps.b.n"])
    run = ended(run_of(acme, *nodes, join, ways=edges("fan>a", "fan>b", "a>join", "b>join")))
    assert run.result == [1, 2] and sorted(steps(run)) == ["a", "b", "fan", "join"]


def test_an_endless_cycle_fails_at_max_steps(engine: EngineThread, acme: Tenant) -> None:
    run = ended(run_of(acme, static("a"), static("b"), ways=edges("a>b", "b>a")))
    assert (run.status, run.result["error_type"]) == ("failed", "MAX_STEPS_EXCEEDED")
    assert kinds(run).count("step_started") == 50


def test_a_wait_for_an_event_answers_its_payload(engine: EngineThread, acme: Tenant) -> None:
    run = run_of(acme, node("paid", "wait", event="paid"), node("end", "transform", output="$steps.paid.sum"))
    until(lambda: "step_started" in kinds(run))
    send_event(run.id, acme.id, "paid", {"sum": 9})
    finished = ended(run)
    assert finished.result == 9 and kinds(finished).count("step_started") == 2


def test_a_wait_that_times_out_fails_its_step_and_on_error_applies(engine: EngineThread, acme: Tenant) -> None:
    nap = node("nap", "wait", event="never", timeout_s=0.05) | {"on_error": "continue"}
    run = ended(run_of(acme, nap, node("end", "transform", output="$steps.nap.error_type")))
    assert run.result == "EventTimeout" and "step_failed" in kinds(run)


def test_a_wait_takes_its_seconds_from_the_data(engine: EngineThread, acme: Tenant) -> None:
    assert ended(run_of(acme, node("nap", "wait", seconds="$input.s"), input={"s": 0.05})).result == {"waited_s": 0.05}
    assert (
        ended(run_of(acme, node("nap", "wait", seconds="$input.s"), input={"s": "long"})).result["error_type"]
        == "NODE_ERROR"
    )


@pytest.mark.parametrize(
    "approved,status,result", [(True, "completed", {"n": 1}), (False, "cancelled", {"rejected": True, "comment": "c"})]
)
def test_a_gate_pauses_until_a_person_decides(
    engine: EngineThread, acme: Tenant, approved: bool, status: str, result: Any
) -> None:
    run = run_of(
        acme, node("gate", "human_gate", message="Ship $input.what?"), static("end", n=1), input={"what": "it"}
    )
    reached(run, "paused")
    asked = RunEvent.all_tenants.get(run_id=run.id, kind="approval_requested").payload
    assert (asked["message"], asked["node_id"]) == ("Ship it?", "gate")
    resume_run(run.id, acme.id, Actor(run.id, "developer"), Verdict(approved, "c"))
    finished = ended(run)
    assert (finished.status, finished.result) == (status, result)
    assert kinds(finished).count("step_started") == (2 if approved else 1)


def test_a_started_run_keeps_its_version(engine: EngineThread, acme: Tenant) -> None:
    definition = graph(node("gate", "human_gate"), static("end", version="old"))
    flow = create_workflow(acme.id, {"name": "flow", "definition": definition})
    run = start(acme, "workflow", subject_id=str(flow.id), subject_version=1)
    reached(run, "paused")
    update_workflow(acme.id, flow.id, {"definition": graph(node("gate", "human_gate"), static("end", version="new"))})
    resume_run(run.id, acme.id, Actor(run.id, "developer"), Verdict(True, ""))
    assert ended(run).result == {"version": "old"}


def test_a_subworkflow_answers_its_childs_result_in_the_same_mode(engine: EngineThread, acme: Tenant) -> None:
    hello = node("hello", "transform", output={"hello": "$input.name", "mode": "$context.mode"})
    child = create_workflow(acme.id, {"name": "child", "definition": graph(hello)})
    call = node("call", "subworkflow", workflow_id=str(child.id), input={"name": "$input.guest"})
    run = ended(run_of(acme, call, input={"guest": "Ana"}, mode="draft"))
    assert run.result == {"hello": "Ana", "mode": "draft"}


def test_a_failing_subworkflow_fails_its_parent_after_its_tries(engine: EngineThread, acme: Tenant) -> None:
    child = create_workflow(
        acme.id, {"name": "child", "definition": graph(node("m", "map", items="$input.x", node={"type": "static"}))}
    )
    call = node("call", "subworkflow", workflow_id=str(child.id)) | {"retry": {"max_attempts": 2, "backoff_s": 0}}
    run = ended(run_of(acme, call))
    assert (run.status, run.result["error_type"]) == ("failed", "NODE_ERROR")
    assert Run.all_tenants.filter(parent=run.id).count() == 2 and kinds(run).count("step_retried") == 1


def test_a_workflow_that_calls_itself_ends(engine: EngineThread, acme: Tenant) -> None:
    flow = create_workflow(acme.id, {"name": "flow", "definition": graph(static("a"))})
    update_workflow(acme.id, flow.id, {"definition": graph(node("again", "subworkflow", workflow_id=str(flow.id)))})
    assert ended(start(acme, "workflow", subject_id=str(flow.id), subject_version=2)).status == "failed"


def test_a_passing_fault_is_tried_again_as_the_node_says(engine: EngineThread, acme: Tenant) -> None:
    call = node("call", "tool", tool_id="x", input={"fail": 2}) | {"retry": {"max_attempts": 3, "backoff_s": 0.01}}
    run = ended(run_of(acme, call))
    assert run.result == {"tries": 3} and kinds(run).count("step_retried") == 2


def test_a_map_over_a_tool_tries_each_item_again(engine: EngineThread, acme: Tenant) -> None:
    inner = {"type": "tool", "config": {"tool_id": "x", "input": {"fail": "$item"}}}
    each = node("each", "map", items=[0, 1, 0], node=inner, max_parallel=2) | {
        "retry": {"max_attempts": 2, "backoff_s": 0}
    }
    assert ended(run_of(acme, each)).result == [{"tries": 1}, {"tries": 2}, {"tries": 1}]


def test_on_error_goto_jumps_over_nodes(engine: EngineThread, acme: Tenant) -> None:
    broken = node("broken", "tool", tool_id="x", input={"fail": 9}) | {"on_error": {"goto": "rescue"}}
    run = ended(run_of(acme, broken, static("skipped"), static("rescue", ok=True)))
    assert run.result == {"ok": True} and "skipped" not in steps(run)


def test_a_run_of_a_version_that_is_not_there_fails(engine: EngineThread, acme: Tenant) -> None:
    flow = create_workflow(acme.id, {"name": "flow", "definition": graph(static("a"))})
    run = ended(start(acme, "workflow", subject_id=str(flow.id), subject_version=7))
    assert (run.status, run.result["error_type"]) == ("failed", "NOT_FOUND")


def test_a_condition_decides_the_way(engine: EngineThread, acme: Tenant) -> None:
    ways = [edge("a", "yes", 'output.priority in ["urgent"]'), edge("a", "no")]
    run = ended(run_of(acme, static("a", priority="urgent"), static("yes", y=1), static("no"), ways=ways))
    assert run.result == {"y": 1}
