"""Which nodes a run visits, in which order, and what it answers: the walker on an engine that records in memory."""

import asyncio
import inspect
import random
import time
import uuid
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.program.retry import StepFailed, describe
from orchestration.workflows.builtin_nodes import NodeFailed
from orchestration.workflows.definition import graph_cache as graphs
from orchestration.workflows.definition.parser import read_graph
from orchestration.workflows.walker import TooManySteps, run_workflow
from tests.orchestration.definitions import edge, edges, graph, node, static

FAILING = node("bad", "map", items="$input.none", node={"type": "static"})


class Recorder:
    """The part of a RunContext that the walker needs; `jitter` lets branches overtake each other."""

    def __init__(self, definition: dict[str, Any], input: Any, jitter: random.Random | None) -> None:
        self.run = SimpleNamespace(
            id=uuid.uuid4(), tenant_id="acme", subject_id=str(uuid.uuid4()), subject_version=1, input=input,
            mode="draft", app_id="",
            trigger=None, on_behalf_of="", created_by=None,
        )  # fmt: skip
        self.names: list[str] = []
        self.events: list[dict[str, Any]] = []
        self.jitter = jitter
        key = (self.run.tenant_id, self.run.subject_id, self.run.subject_version)
        graphs.CACHE.add(key, read_graph(definition, "linear"))

    async def step(self, name: str, fn: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """The function's result; every step has a name of its own."""
        assert name not in self.names and len(name) <= 255
        self.names.append(name)
        if self.jitter:
            for _ in range(self.jitter.randrange(4)):
                await asyncio.sleep(0)
        try:
            result = fn(*args)
            return await result if inspect.isawaitable(result) else result
        except NodeFailed as fault:
            raise StepFailed(name, *describe(fault)) from fault

    def emit(self, kind: str, payload: dict[str, Any], step: str = "") -> None:
        """Keep the event."""
        self.events.append({"kind": kind, **payload})

    async def shared(self, key: tuple[Any, ...], loader: Callable[[], Any]) -> Any:
        """The loader's value."""
        return loader()

    async def gather(self, *branches: Coroutine[Any, Any, Any]) -> list[Any]:
        """The branches' results in order."""
        return list(await asyncio.gather(*branches))


def walk(
    definition: dict[str, Any], input: Any = None, jitter: random.Random | None = None
) -> tuple[Any, list[str], Recorder]:
    """(result, names of the steps in the order of their starts, the recorder)."""
    ctx = Recorder(definition, input or {}, jitter)
    result = asyncio.run(run_workflow(ctx))  # type: ignore[arg-type]
    return result, ctx.names, ctx


def names(
    *nodes: dict[str, Any], ways: list[dict[str, Any]] | None = None, input: Any = None, **more: Any
) -> list[str]:
    """The names of the steps of a run of these nodes."""
    return walk(graph(*nodes, ways=ways, **more), input)[1]


def test_the_result_is_the_last_nodes_output() -> None:
    assert walk(graph(static("a", n=1), static("b", n=2)))[0] == {"n": 2}


def test_a_transform_sees_the_input_earlier_steps_and_the_runs_own_facts() -> None:
    pick = node(
        "pick",
        "transform",
        output={"n": "$steps.a.n", "who": "$input.guest", "mode": "$context.mode", "x": "$context.x"},
    )
    result, _, _ = walk(graph(static("a", n=7), pick), {"guest": "Ana", "context": {"x": 1, "mode": "forged"}})
    assert result == {"n": 7, "who": "Ana", "mode": "draft", "x": 1}


def test_the_first_true_edge_wins_else_the_unconditional_one() -> None:
    ways = [edge("a", "x", "output.n > 9"), edge("a", "y", "output.n > 1"), edge("a", "z")]
    three = [static(name) for name in "xyz"]
    assert names(static("a", n=5), *three, ways=ways) == ["a", "y"]
    assert names(static("a", n=0), *three, ways=ways) == ["a", "z"]


def test_without_a_true_or_unconditional_edge_the_run_ends() -> None:
    assert names(static("a", n=1), static("b"), ways=[edge("a", "b", "output.n > 9")]) == ["a"]


def test_a_second_visit_has_a_name_of_its_own() -> None:
    ways = [edge("a", "b", "steps.b not exists"), edge("a", "c"), *edges("b>a")]
    assert names(static("a"), static("b"), static("c"), ways=ways, entryNode="a") == ["a", "b", "a#2", "c"]


def test_a_cycle_ends_with_an_error_at_max_steps() -> None:
    ctx = Recorder(graph(static("a"), static("b"), ways=edges("a>b", "b>a")), {}, None)
    with pytest.raises(TooManySteps, match="50"):
        asyncio.run(run_workflow(ctx))  # type: ignore[arg-type]
    assert len(ctx.names) == 50 and ctx.names[:4] == ["a", "b", "a#2", "b#2"]


def test_odd_ids_never_give_two_steps_the_same_name() -> None:
    ids = ["a", "a#2", "a/0", "a[0]", "a%232"]
    ways = edges("a>a#2", "a#2>a/0", "a/0>a[0]", "a[0]>a%232", "a%232>a")
    ctx = Recorder(graph(*(static(name) for name in ids), ways=ways, max_steps=15), {}, None)
    with pytest.raises(TooManySteps):
        asyncio.run(run_workflow(ctx))  # type: ignore[arg-type]
    assert len(set(ctx.names)) == 15


# ---- parallel


def fan(*branches: str) -> list[dict[str, Any]]:
    """Edges from the node fan to each branch."""
    return [edge("fan", branch) for branch in branches]


FAN = node("fan", "parallel")


def test_branches_meet_in_a_node_that_runs_once() -> None:
    join = node("join", "transform", output={"a": "$steps.a.n", "b": "$steps.b.n"})
    result, visited, _ = walk(
        graph(FAN, static("a", n=1), static("b", n=2), join, ways=[*fan("a", "b"), *edges("a>join", "b>join")])
    )
    assert result == {"a": 1, "b": 2} and visited == ["fan", "a", "b", "join"]


def test_branches_that_never_meet_answer_with_the_last_ones_output() -> None:
    assert walk(graph(FAN, static("a", n=1), static("b", n=2), ways=fan("a", "b")))[0] == {"n": 2}


def test_a_branch_may_end_early() -> None:
    ways = [*fan("a", "b"), edge("a", "join", "output.n > 9"), edge("b", "join")]
    assert names(FAN, static("a", n=1), static("b"), static("join"), ways=ways) == ["fan", "a", "b", "join"]


def test_when_all_branches_end_early_the_meeting_does_not_run() -> None:
    ways = [*fan("a", "b"), edge("a", "join", "output.n > 9"), edge("b", "join", "output.n > 9")]
    assert names(FAN, static("a", n=1), static("b", n=1), static("join"), ways=ways) == ["fan", "a", "b"]


def test_only_branches_whose_condition_is_true_are_followed() -> None:
    ways = [
        edge("fan", "a", "input.n > 1"),
        edge("fan", "b", "input.n > 5"),
        edge("fan", "c"),
        *edges("a>join", "b>join", "c>join"),
    ]
    nodes = [FAN, *(static(name) for name in ("a", "b", "c", "join"))]
    assert names(*nodes, ways=ways, input={"n": 3}) == ["fan", "a", "c", "join"]


def test_branches_that_meet_among_themselves_first_run_that_node_once_too() -> None:
    ways = [*fan("a", "b", "c"), *edges("a>x", "b>x", "c>y", "x>y", "y>end")]
    visited = names(FAN, *(static(name) for name in ("a", "b", "c", "x", "y", "end")), ways=ways)
    assert sorted(visited) == ["a", "b", "c", "end", "fan", "x", "y"] and visited[-2:] == ["y", "end"]


def test_branches_meet_where_all_must_pass_not_where_some_may() -> None:
    ways = [*fan("a", "b"), edge("a", "m", "output.n > 1"), edge("a", "j"), edge("b", "m"), *edges("m>j")]
    for n, expected in ((1, ["a", "b", "fan", "j", "m"]), (2, ["a", "b", "fan", "j", "m"])):
        assert sorted(names(FAN, static("a", n=n), static("b"), static("m"), static("j"), ways=ways)) == expected


def test_forks_nest() -> None:
    inner = node("inner", "parallel")
    ways = [*fan("inner", "c"), *edges("inner>a", "inner>b", "a>ab", "b>ab", "ab>join", "c>join")]
    visited = names(FAN, inner, *(static(name) for name in ("a", "b", "c", "ab", "join")), ways=ways)
    assert sorted(visited) == ["a", "ab", "b", "c", "fan", "inner", "join"] and visited[-1] == "join"


def test_an_inner_fork_may_meet_where_the_outer_one_does() -> None:
    inner = node("inner", "parallel")
    ways = [*fan("inner", "c"), *edges("inner>a", "inner>b", "a>join", "b>join", "c>join")]
    visited = names(FAN, inner, *(static(name) for name in ("a", "b", "c", "join")), ways=ways)
    assert visited.count("join") == 1 and visited[-1] == "join" and len(visited) == 6


def test_a_node_that_several_branches_visit_is_named_after_its_branch() -> None:
    failing = [FAILING | {"id": name, "on_error": {"goto": "rescue"}} for name in ("a", "b")]
    ways = [*fan("a", "b"), *edges("a>join", "b>join", "rescue>join")]
    visited = names(FAN, *failing, static("rescue"), static("join"), ways=ways)
    assert sorted(visited) == ["a", "b", "fan", "fan/0/rescue", "fan/1/rescue", "join"]


def test_a_fork_inside_a_loop_runs_again_under_new_names() -> None:
    ways = [
        *fan("a", "b"),
        *edges("a>join", "b>join"),
        edge("join", "fan", "steps.late not exists"),
        *edges("join>late"),
    ]
    ctx = Recorder(graph(FAN, *(static(name) for name in ("a", "b", "join", "late")), ways=ways, max_steps=8), {}, None)
    with pytest.raises(TooManySteps):
        asyncio.run(run_workflow(ctx))  # type: ignore[arg-type]
    assert ctx.names == ["fan", "a", "b", "join", "fan#2", "a#2", "b#2", "join#2"]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(1, 9), st.booleans()), min_size=9, max_size=22),
    st.sets(st.integers(0, 8), min_size=1, max_size=4),
    st.integers(0, 9),
)
def test_however_branches_race_the_same_steps_are_taken(ways: list, forks: set[int], n: int) -> None:
    """Any graph without cycles, walked twice with branches at different speeds: the same steps, the same result."""
    nodes = [node(f"n{i}", "parallel") if i in forks else static(f"n{i}", n=i) for i in range(10)]
    spine = [edge(f"n{i}", f"n{i + 1}") for i in range(9)]
    extra = [
        edge(f"n{a}", f"n{b}", f"input.n > {b}" if conditional else None)
        for a, b, conditional in ways
        if a < b and (a in forks or conditional)
    ]
    definition = graph(*nodes, ways=[*extra, *spine], max_steps=10000)
    runs = [walk(definition, {"n": n}, random.Random(seed)) for seed in (1, 2, 3)]
    assert len({str(result) for result, _, _ in runs}) == 1
    assert len({tuple(sorted(visited)) for _, visited, _ in runs}) == 1


# ---- map, router, errors


def test_a_map_runs_its_node_for_each_item_in_order() -> None:
    each = node("each", "map", items="input.words", node={"type": "transform", "config": {"output": {"word": "$item"}}})
    result, visited, _ = walk(graph(each), {"words": ["a", "b", "c"]})
    assert result == [{"word": "a"}, {"word": "b"}, {"word": "c"}]
    assert visited == ["each", "each[0]", "each[1]", "each[2]"]


def test_a_map_over_nothing_is_empty() -> None:
    assert walk(graph(node("each", "map", items=[], node={"type": "static"})))[0] == []


def test_a_map_over_what_is_no_list_fails_and_says_so() -> None:
    with pytest.raises(StepFailed, match="must be a list"):
        walk(graph(node("each", "map", items="$input.word", node={"type": "static"})), {"word": "a"})


def routes(**targets: str) -> list[dict[str, Any]]:
    """Routes by id."""
    return [{"id": name, "target_node": target} for name, target in targets.items()]


def test_a_router_takes_the_first_route_whose_condition_is_true() -> None:
    choices = [routes(x="b")[0] | {"condition": "input.n > 5"}, routes(y="c")[0] | {"condition": "input.n > 1"}]
    result, visited, ctx = walk(graph(node("r", "router", routes=choices), static("b"), static("c"), ways=[]), {"n": 3})
    assert visited == ["r", "c"]
    assert (
        ctx.events[0] | {"kind": "policy_eval", "type": "router_decision", "route": "y", "decided_by": "condition"}
        == ctx.events[0]
    )


def test_a_router_without_routes_takes_its_first_edge() -> None:
    assert names(node("r", "router"), static("a"), static("b"), ways=edges("r>a", "r>b")) == ["r", "a"]


def test_on_error_continue_goes_on_with_the_error_as_output() -> None:
    seen = node("end", "transform", output={"error": "$steps.bad.error_type"})
    assert walk(graph(FAILING | {"on_error": "continue"}, seen))[0] == {"error": "NODE_ERROR"}


def test_on_error_goto_jumps() -> None:
    rescue = FAILING | {"on_error": {"goto": "rescue"}}
    assert names(rescue, static("skipped"), static("rescue"), ways=edges("bad>skipped", "skipped>rescue")) == [
        "bad",
        "rescue",
    ]


def test_a_static_node_without_output_says_so() -> None:
    assert "message" in walk(graph(node("a")))[0]


@pytest.mark.parametrize("place", ["output", "value"])
def test_a_static_output_may_stand_beside_the_config(place: str) -> None:
    assert walk({"nodes": [{"id": "a", "type": "static", place: {"n": 1}}]})[0] == {"n": 1}


def test_walking_costs_next_to_nothing() -> None:
    ctx = Recorder(graph(*(static(name) for name in "abc")), {}, None)

    async def many() -> None:
        for _ in range(1000):
            ctx.names.clear()
            await run_workflow(ctx)  # type: ignore[arg-type]

    began = time.process_time()
    asyncio.run(many())
    assert time.process_time() - began < 0.3
