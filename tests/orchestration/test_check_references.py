"""References that lead nowhere: refused or doubted when a workflow is saved, else named in the record of the step."""

from typing import Any

import pytest

from accounts.models import Tenant
from config.errors import WorkflowInvalid
from orchestration.models import RunEvent
from orchestration.runs.steps import steps_of
from orchestration.workflows.definition.parser import read_graph
from orchestration.workflows.definition.workflow_versions import create_workflow, warnings_of
from tests.factories import log_in, make_user
from tests.orchestration.definitions import edges, graph, node, static
from tests.orchestration.running import EngineThread, ended, start

SCHEMA = {
    "type": "object",
    "properties": {
        "month": {"type": "string"},
        "guest": {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": False},
        "rooms": {"type": "array", "items": {"properties": {"no": {"type": "integer"}}, "additionalProperties": False}},
        "free": {"type": "object"},
        "either": {"anyOf": [{"type": "object"}, {"type": "string"}], "additionalProperties": False},
    },
    "additionalProperties": False,
}


def refusal(acme: Tenant, definition: dict[str, Any]) -> dict[str, list[str]]:
    """What a save of it is refused with, by field."""
    with pytest.raises(WorkflowInvalid) as fault:
        create_workflow(acme.id, {"name": "flow", "type": "linear", "definition": definition})
    return fault.value.context["errors"]


def told(acme: Tenant, *nodes: dict[str, Any], **more: Any) -> list[str]:
    """The warnings of a saved workflow."""
    flow = create_workflow(acme.id, {"name": "flow", "type": "linear", "definition": graph(*nodes, **more)})
    return warnings_of(flow)


@pytest.mark.parametrize(
    "text,field,words",
    [
        ("$inptu.a", "output", ["$inptu", "did you mean $input?"]),
        ("see $inputs.a[0]", "output", ["$inputs", "$input?"]),
        ({"deep": ["$step.a.x"]}, "output.deep[0]", ["$step", "$steps?"]),
        ("$contxt.mode", "output", ["$context?"]),
        ("$evnt[0]", "output", ["$event?"]),
        ("$output.x", "output", ["conditions know output", "$steps.<node>"]),
        ("$steps.nowhere.x", "", ["$steps.nowhere.x", "no node has the id 'nowhere'"]),
        ("$steps.a-b", "", ["'a-b'"]),
        ("$item.x", "", ["$item.x", "map"]),
    ],
)
def test_a_reference_that_cannot_lead_anywhere_is_refused(
    acme: Tenant, text: Any, field: str, words: list[str]
) -> None:
    errors = refusal(acme, graph(static("a", x=1), node("b", "transform", output=text)))
    (name,) = errors
    assert name == "definition.nodes[1].config" + (f".{field}" if field else "")
    assert all(word in errors[name][0] for word in ["Node 'b'", *words]), errors


def test_prompts_and_nodes_of_maps_are_looked_at_too(acme: Tenant) -> None:
    each = node("each", "map", items="$input.x", node={"type": "transform", "config": {"output": "$itme2.x $inptu.y"}})
    gate = node("gate", "human_gate", message="$inptu.x")
    errors = refusal(acme, graph(each, gate))
    assert set(errors) == {"definition.nodes[0].config.node.config.output", "definition.nodes[1].config.message"}


@pytest.mark.parametrize(
    "text", ["$5", "$HOME/x", "$.a.b", "$set.x", "$$inptu.a", "$inptu", "$price.net", "cost: $", "$$output.x"]
)
def test_other_dollars_are_saved(acme: Tenant, text: str) -> None:
    assert told(acme, node("a", "transform", output=text)) == []


@pytest.mark.parametrize(
    "text,unknown",
    [
        ("$input.mnoth", "mnoth"),
        ("x $input.guest.nmae y", "nmae"),
        ("$input.rooms[0].number", "number"),
        ("$input.rooms.0.number", "number"),
        ("$input.month.csv", "csv"),
    ],
)
def test_a_field_that_the_input_schema_does_not_let_in_is_refused(acme: Tenant, text: str, unknown: str) -> None:
    errors = refusal(acme, graph(node("a", "transform", output=text), input_schema=SCHEMA))
    assert f"'{unknown}'" in errors["definition.nodes[0].config"][0]


@pytest.mark.parametrize(
    "text",
    ["$input", "$input.month", "$input.month.csv of it", "$input.guest.name", "$input.rooms[0].no", "$input.free.x.y",
     "$input.either.x"],
)  # fmt: skip
def test_a_field_that_may_be_there_is_saved(acme: Tenant, text: str) -> None:
    assert told(acme, node("a", "transform", output=text), input_schema=SCHEMA) == []
    assert told(acme, node("a", "transform", output=text + " $input.other"), input_schema={"type": "object"}) == []


def test_what_a_node_surely_does_not_answer_is_doubted(acme: Tenant) -> None:
    made = node("b", "transform", output={"n": "$steps.a.n", "deep": {"x": "$input.x"}})
    end = node(
        "end", "transform", output=["$steps.a.m", "$steps.b.deep.y", "$steps.b.deep.x.y", "$steps.b.n", "$steps.a"]
    )
    warnings = told(acme, static("a", n=1), made, end)
    assert [warning.split("refers to ")[1] for warning in warnings] == [
        "$steps.a.m, but 'a' answers no 'm'.",
        "$steps.b.deep.y, but 'b' answers no 'y'.",
    ]


def test_a_node_that_never_runs_before_is_doubted(acme: Tenant) -> None:
    nodes = [
        node("fan", "parallel"),
        node("a", "transform", output="$steps.b"),
        node("b", "transform", output="$steps.b"),
    ]
    end = node("end", "transform", output=["$steps.a", "$steps.b"])
    warnings = told(acme, *nodes, end, ways=edges("fan>a", "fan>b", "a>end", "b>end"))
    assert warnings == [f"Node {id!r} refers to $steps.b, but 'b' never runs before it." for id in "ab"]


def test_a_version_that_was_saved_before_still_runs() -> None:
    definition = graph(node("a", "transform", output="$inptu.a and $item.x"), input_schema=SCHEMA)
    assert read_graph(definition).nodes["a"].config == {"output": "$inptu.a and $item.x"}


def test_the_record_of_a_step_names_what_was_empty(engine: EngineThread, acme: Tenant) -> None:
    inner = {"type": "transform", "config": {"output": "$item.word"}}
    nodes = [
        node("a", "transform", output={"x": "$input.nmae", "y": "hi $input.guest.nmae!", "z": "$input.guest.name"}),
        node("each", "map", items="$input.words", node=inner),
        node("gate", "wait", seconds="$input.s"),
        node("end", "transform", output="$steps.a.z"),
    ]
    definition = graph(*nodes)
    flow = create_workflow(acme.id, {"name": "flow", "type": "linear", "definition": definition})
    given = {"guest": {"name": "Ana"}, "words": [{"word": "a"}, {}], "s": 0}
    run = ended(start(acme, "workflow", given, subject_id=str(flow.id), subject_version=1))
    assert run.result == "Ana"
    named = {row["name"]: row["empty_references"] for row in steps_of(run) if row["empty_references"]}
    assert named == {"a": ["$input.nmae", "$input.guest.nmae"], "each[1]": ["$item.word"]}
    started = RunEvent.all_tenants.get(run_id=run.id, kind="step_started", step="a").payload
    assert started["empty_references"] == named["a"]
    shown = log_in(make_user(acme)).get(f"/api/v1/runs/{run.id}/steps").json()
    assert {row["name"]: row["empty_references"] for row in shown if row["empty_references"]} == named
