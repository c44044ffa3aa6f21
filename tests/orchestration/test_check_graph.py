"""A definition that cannot run is refused when it is saved, with every mistake named at once."""

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.errors import WorkflowInvalid
from orchestration.workflows.definition.parser import read_graph
from tests.orchestration.definitions import edge, edges, graph, node, static


def refused(definition: Any, type: str = "graph") -> dict[str, list[str]]:
    """What the definition's refusal says by field."""
    with pytest.raises(WorkflowInvalid) as fault:
        read_graph(definition, type)
    return fault.value.context["errors"]


@pytest.mark.parametrize("definition", [None, [], "text", {}, {"nodes": []}, {"nodes": {}}, {"nodes": [1], "edges": 2}])
def test_what_is_no_definition_is_refused(definition: Any) -> None:
    assert refused(definition)


@pytest.mark.parametrize(
    "field,broken,told",
    [
        ("nodes[1].id", graph(static("twin"), static("twin"), ways=[]), "twin"),
        ("nodes[0].id", graph(static("x" * 201), ways=[]), "200"),
        ("nodes[0].id", {"nodes": [{"type": "static"}]}, "missing"),
        ("edges[0].to", graph(static("a"), ways=edges("a>ghost")), "ghost"),
        ("edges[0].from", graph(static("a"), ways=edges("ghost>a")), "ghost"),
        ("edges[0].condition", graph(static("a"), static("b"), ways=[edge("a", "b", "output.x = 3")]), "=="),
        ("entryNode", graph(static("a"), entryNode="ghost"), "ghost"),
        ("nodes[2]", graph(static("a"), static("b"), static("island"), ways=edges("a>b"), entryNode="a"), "island"),
        ("nodes[0].type", graph(node("odd", "teleport")), "teleport"),
        ("nodes[0].config", graph({"id": "a", "type": "static", "config": []}), "object"),
        ("nodes[0].config.agent_id", graph(node("asks", "agent")), "asks"),
        ("nodes[0].config.prompt", graph(node("asks", "agent", agent_id="x", prompt="{{ x")), "template"),
        ("nodes[0].config.tool_id", graph(node("uses", "tool", tool_id=5)), "text"),
        ("nodes[0].config.input", graph(node("uses", "tool", tool_id="x", input=5)), "object"),
        ("nodes[0].config", graph(node("nap", "wait")), "either"),
        ("nodes[0].config", graph(node("nap", "wait", seconds=1, event="x")), "either"),
        ("nodes[0].config.seconds", graph(node("nap", "wait", seconds=-1)), "at least 0"),
        ("nodes[0].config.seconds", graph(node("nap", "wait", seconds=True)), "number"),
        ("nodes[0].config.timeout_s", graph(node("nap", "wait", event="x", timeout_s=0)), "more than 0"),
        ("nodes[0].config.items", graph(node("each", "map", items=5, node=node("", "static"))), "list"),
        (
            "nodes[0].config.items",
            graph(node("each", "map", items="words of it", node=node("", "static"))),
            "reference",
        ),
        ("nodes[0].config.node.type", graph(node("each", "map", items=[], node=node("", "router"))), "router"),
        ("nodes[0].config.node.config.tool_id", graph(node("each", "map", items=[], node=node("", "tool"))), "each"),
        ("nodes[0].config.max_parallel", graph(node("e", "map", items=[], node=node(""), max_parallel=101)), "100"),
        ("nodes[0].config.role", graph(node("gate", "human_gate", role="king")), "king"),
        ("nodes[0].config.expires_s", graph(node("gate", "human_gate", expires_s=0)), "more than 0"),
        ("nodes[0].config.branches[0]", graph(node("fan", "parallel", branches=["ghost"])), "ghost"),
        ("nodes[0].config.routes[0].target_node", graph(node("r", "router", routes=[{"id": "x"}])), "names no node"),
        ("nodes[0].config.workflow_id", graph(node("call", "subworkflow")), "missing"),
        ("nodes[0].config.output", graph(node("t", "transform")), "output"),
        ("nodes[0].config", graph(node("t", "transform", output="$steps.nowhere.x")), "nowhere"),
        ("nodes[0].on_error", graph(static("a") | {"on_error": "panic"}), "panic"),
        ("nodes[0].on_error.goto", graph(static("a") | {"on_error": {"goto": "ghost"}}), "ghost"),
        ("nodes[0].retry.max_attempts", graph(static("a") | {"retry": {"max_attempts": 21}}), "20"),
        ("nodes[0].retry.backoff_s", graph(static("a") | {"retry": {"backoff_s": -1}}), "at least 0"),
        ("nodes[0].retry", graph(static("a") | {"retry": 3}), "object"),
        ("nodes[0].timeout_s", graph(static("a") | {"timeout_s": 0}), "more than 0"),
        ("max_steps", graph(static("a"), max_steps=0), "10000"),
        ("nodes", {"nodes": [static(str(n)) for n in range(1001)]}, "1000"),
        ("edges", graph(static("a"), ways=edges("a>a") * 5001), "5000"),
    ],
)
def test_each_mistake_is_told_where_it_is(field: str, broken: Any, told: str) -> None:
    errors = refused(broken)
    assert f"definition.{field}" in errors
    assert told in " ".join(errors[f"definition.{field}"])


def test_all_mistakes_are_told_at_once_up_to_fifty() -> None:
    errors = refused({"nodes": [node(f"n{n}", "agent") for n in range(80)]}, "linear")
    assert sum(map(len, errors.values())) == 50


def test_the_message_names_the_node() -> None:
    with pytest.raises(WorkflowInvalid, match="asks.*and 1 more"):
        read_graph(graph(node("asks", "agent"), node("uses", "tool")), "graph")


@pytest.mark.parametrize("value", ["\0", "\ud800", 2**70, float("nan"), float("inf")])
def test_what_cannot_be_stored_is_refused(value: Any) -> None:
    assert refused(graph(static("a", x=value)))


def test_endless_nesting_is_refused() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    assert "nested deeper" in str(refused(graph(static("a", x=deep))))


def test_both_spellings_of_a_type_are_taken() -> None:
    assert read_graph(graph(node("a", "static_node"))).nodes["a"].type == "static"


def test_a_linear_workflow_without_edges_runs_in_list_order() -> None:
    found = read_graph({"nodes": [static("a"), static("b"), static("c")]}, "linear")
    assert [found.entry, found.nodes["a"].ways, found.nodes["b"].ways] == ["a", ["b"], ["c"]]


def test_the_entry_is_the_only_node_that_nothing_leads_to() -> None:
    assert read_graph(graph(static("last"), static("first"), ways=edges("first>last"))).entry == "first"
    routes = [{"id": "x", "target_node": "b"}, {"id": "y", "target_node": "c"}]
    assert read_graph(graph(static("b"), static("c"), node("r", "router", routes=routes), ways=[])).entry == "r"


def test_router_targets_goto_targets_and_branches_make_nodes_reachable() -> None:
    nodes = [
        node("fan", "parallel", branches=["r", "t"]),
        node("r", "router", routes=[{"id": "x", "target_node": "end"}]),
        static("t") | {"on_error": {"goto": "rescue"}},
        static("end"),
        static("rescue"),
    ]
    assert set(read_graph(graph(*nodes, ways=[]) | {"entryNode": "fan"}).nodes) == {"fan", "r", "t", "end", "rescue"}


@pytest.mark.parametrize(
    "ways,stuck",
    [(edges("a>b", "b>a"), True), ([edge("a", "b"), edge("b", "a", "output.again == true")], False)],
)
def test_a_cycle_is_saved_and_one_without_an_exit_is_warned_of(ways: list, stuck: bool) -> None:
    assert bool(read_graph(graph(static("a"), static("b"), ways=ways)).warnings) is stuck


def test_a_thousand_nodes_in_a_row_and_in_a_fan_are_checked_quickly() -> None:
    row = graph(*(static(f"n{n}") for n in range(1000)))
    fan = [node("fan", "parallel"), *(static(f"n{n}") for n in range(998)), static("end")]
    ways = [edge("fan", f"n{n}") for n in range(998)] + [edge(f"n{n}", "end") for n in range(998)]
    began = time.process_time()
    read_graph(row)
    found = read_graph(graph(*fan, ways=ways))
    assert found.fork(found.nodes["fan"], tuple(f"n{n}" for n in range(998)), frozenset()).meeting == "end"
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    "text", ["$steps." + "a." * 250_000, "$steps" + ".a" * 250_000, "see $steps" + ".b[0]" * 100_000]
)
def test_a_very_long_reference_is_refused_quickly(text: str) -> None:
    began = time.process_time()
    refused(graph(static("x", y=text)))
    assert time.process_time() - began < 2


WORDS = st.sampled_from(
    ["a", "b", "c", "a.b", "$input.x", "$steps.a.b", "output.x == 1", "{{ x }}", "{{", "", "goto", "x" * 300]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | WORDS,
    lambda part: st.lists(part, max_size=3) | st.dictionaries(WORDS | st.text(max_size=3), part, max_size=3),
    max_leaves=5,
)
TYPES = st.sampled_from(
    "static transform agent tool router human_gate parallel map wait subworkflow map_node odd".split()  # noqa: SIM905
)
KEYS = st.sampled_from(
    "output value agent_id prompt tool_id input routes router_agent_id message role expires_s branches items node "  # noqa: SIM905
    "max_parallel seconds event timeout_s workflow_id".split()
)
ROUTE = st.fixed_dictionaries({"id": VALUES, "target_node": VALUES}, optional={"condition": VALUES})
CONFIG = st.dictionaries(
    KEYS, VALUES | st.lists(ROUTE, max_size=2) | st.fixed_dictionaries({"type": TYPES, "config": VALUES})
)
NODE = st.fixed_dictionaries(
    {"id": st.sampled_from(["a", "b", "c", "a.b"]) | VALUES, "type": TYPES | VALUES},
    optional={
        "config": CONFIG | VALUES,
        "retry": VALUES,
        "timeout_s": VALUES,
        "on_error": VALUES | st.fixed_dictionaries({"goto": VALUES}),
    },
)
EDGE = st.fixed_dictionaries({"from": VALUES, "to": VALUES}, optional={"condition": VALUES})
DEFINITION = st.fixed_dictionaries(
    {"nodes": st.lists(NODE | VALUES, max_size=4) | VALUES},
    optional={"edges": st.lists(EDGE | VALUES, max_size=4) | VALUES, "entryNode": VALUES, "max_steps": VALUES},
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(DEFINITION | VALUES, st.sampled_from(["linear", "graph"]))
def test_whatever_is_sent_it_is_taken_or_refused_with_a_reason(definition: Any, type: str) -> None:
    try:
        read_graph(definition, type)
    except WorkflowInvalid as fault:
        assert fault.context["errors"] and all(all(told) for told in fault.context["errors"].values())
