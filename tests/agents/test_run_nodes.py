"""Agent and tool nodes in real runs of a real engine, against the scripted model server."""

from typing import TYPE_CHECKING, Any

import pytest

from agents.models import Agent, Tool
from config.errors import Invalid
from governance.models import Budget, BudgetLimit
from orchestration.models import RunEvent, Status
from tests.agents.far_end import FarEnd
from tests.factories import make_workflow
from tests.model_server import ModelServer
from tests.orchestration.running import ended, start

if TYPE_CHECKING:
    from accounts.models import Tenant
    from orchestration.models import Run

pytestmark = pytest.mark.usefixtures("gateway", "engine")


def new_agent(acme: "Tenant", instructions: str = "", **fields: Any) -> str:
    """The id of a saved agent."""
    profile = {"provider": "openai", "model": "gpt-4o-mini", "max_tokens": 100}
    given = {"key": "agent.x", "name": "X", "instructions": instructions, "model_profile": profile}
    return Agent.all_tenants.create(tenant=acme, **given | fields).key


def run(acme: "Tenant", *nodes: dict[str, Any], input: Any = None, edges: Any = None, **more: Any) -> "Run":
    """A finished run of these nodes."""
    flow = make_workflow(acme, *nodes, edges=edges)
    begun = start(acme, "workflow", input, subject_id=str(flow.pk), subject_version=flow.revision, **more)
    return ended(begun)


def node(type: str, id: str = "a", **config: Any) -> dict[str, Any]:
    """A node."""
    return {"id": id, "type": type, "config": config}


def told(of: "Run", kind: str) -> list[dict[str, Any]]:
    """The payloads of the run's events of a kind."""
    return list(RunEvent.all_tenants.filter(run=of, kind=kind).order_by("seq").values_list("payload", flat=True))


def test_the_golden_run(acme: "Tenant") -> None:
    agent = new_agent(acme, '<<say: {"summary": "2 tickets triaged", "tickets": []}>>')
    done = run(
        acme,
        node("static", "start", output={"ok": True}),
        node("tool_node", "fetch", tool_id="ticketing.list_open"),
        node("agent_node", "triage", agent_id=agent, input="$steps.fetch"),
        input={"hotel_id": "VV"},
    )
    assert (done.status, done.result) == (Status.COMPLETED, {"summary": "2 tickets triaged", "tickets": []})
    (tool_call,), (llm_call,) = told(done, "tool_call"), told(done, "llm_call")
    assert tool_call["tool_id"] == "ticketing.list_open" and llm_call["agent_id"] == agent
    assert (done.llm_calls, done.prompt_tokens) == (1, llm_call["usage"]["promptTokens"]) and done.cost_micro > 0


def test_a_text_reaches_the_model_verbatim_and_an_object_as_json(acme: "Tenant", gateway: ModelServer) -> None:
    agent = new_agent(acme)
    for given, expected in (('He said "hi"\nß', 'He said "hi"\nß'), ({"q": "ß"}, '{"q":"ß"}')):
        run(acme, node("agent", agent_id=agent, input=given))
        assert gateway.requests[-1]["messages"][-1]["content"] == expected


def test_a_prompt_is_the_message_and_a_configured_input_is_appended(acme: "Tenant", gateway: ModelServer) -> None:
    agent = new_agent(acme)
    run(acme, node("agent", agent_id=agent, prompt="Greet {{ input.name }}"), input={"name": "Ana"})
    assert gateway.requests[-1]["messages"][-1]["content"] == "Greet Ana"
    run(acme, node("agent", agent_id=agent, prompt="Read:", input={"a": 1}))
    assert gateway.requests[-1]["messages"][-1]["content"] == 'Read:\n\n{"a":1}'


def test_a_refused_model_call_fails_the_run_with_its_reason(acme: "Tenant") -> None:
    done = run(acme, node("agent", agent_id=new_agent(acme, "<<status: 400>>")))
    assert (done.status, done.failure_reason, done.result["error_type"]) == (
        Status.FAILED,
        "error",
        "AGENT_EXECUTION_ERROR",
    )


def test_a_passing_fault_is_survived(acme: "Tenant") -> None:
    done = run(acme, node("agent", agent_id=new_agent(acme, "<<fail: nodes 1>> <<say: fine>>")))
    assert done.status == Status.COMPLETED and done.result["text"] == "fine" and done.llm_calls == 1


def test_one_call_too_many_is_refused(acme: "Tenant") -> None:
    agent = new_agent(acme, "<<say: fine>>")
    done = run(acme, node("agent", "one", agent_id=agent), node("agent", "two", agent_id=agent), calls_limit=1)
    assert (done.status, done.failure_reason) == (Status.FAILED, "budget_exceeded")
    assert len(told(done, "llm_call")) == 1 and len(told(done, "budget_exceeded")) == 1


def test_a_cost_limit_holds_before_the_call(acme: "Tenant", gateway: ModelServer) -> None:
    agent = new_agent(acme, model_profile={"provider": "openai", "model": "gpt-4o", "max_tokens": 2000})
    done = run(acme, node("agent", agent_id=agent), cost_limit_micro=10_000)
    assert done.failure_reason == "budget_exceeded" and gateway.requests == []


def test_a_standing_limit_counts_over_runs_and_warns(acme: "Tenant") -> None:
    agent = new_agent(acme, "<<say: fine>>")
    limit = {"scope": "agent", "scope_id": agent, "period": "day", "calls_limit": 5}
    made = BudgetLimit.all_tenants.create(tenant=acme, **limit)
    BudgetLimit.all_tenants.create(tenant=acme, **limit | {"scope_id": "agent.y", "calls_limit": 0})
    runs = [run(acme, node("agent", agent_id=agent)) for _ in range(6)]
    assert [one.status for one in runs] == [Status.COMPLETED] * 5 + [Status.FAILED]
    (refusal,) = told(runs[-1], "budget_exceeded")
    assert (refusal["scope"], refusal["scope_id"], refusal["limit"]) == ("agent", agent, 5)
    assert [len(told(one, "budget_warning")) for one in runs] == [0, 0, 0, 1, 0, 0]
    kept = Budget.all_tenants.get(limit_id=made.pk)
    assert (kept.spent_calls, kept.held_calls) == (5, 0) and kept.spent_micro == sum(one.cost_micro for one in runs)


def test_a_child_run_draws_on_the_standing_limits_too(acme: "Tenant") -> None:
    agent = new_agent(acme, "<<say: fine>>")
    BudgetLimit.all_tenants.create(tenant=acme, scope="tenant", period="month", calls_limit=1)
    flow = make_workflow(acme, node("agent", agent_id=agent))
    child = node("subworkflow", "b", workflow_id=str(flow.pk), input={})
    done = run(acme, node("agent", agent_id=agent), child)
    assert (done.status, done.failure_reason) == (Status.FAILED, "budget_exceeded")


def test_an_unknown_price_does_not_slip_through_a_cost_limit(acme: "Tenant", gateway: ModelServer) -> None:
    agent = new_agent(acme, model_profile={"provider": "openai", "model": "house-blend-7", "max_tokens": 2000})
    done = run(acme, node("agent", agent_id=agent), cost_limit_micro=10_000)
    assert done.failure_reason == "budget_exceeded" and gateway.requests == []


def test_an_inactive_agent_does_not_work(acme: "Tenant") -> None:
    done = run(acme, node("agent", agent_id=new_agent(acme, is_active=False)))
    assert done.status == Status.FAILED and "not active" in done.result["error"]


def test_a_tools_fault_fails_the_run_after_the_nodes_tries(acme: "Tenant", far_end: FarEnd) -> None:
    far_end.answer = lambda _: (503, {}, b"")
    config = {"url": far_end.url, "method": "POST"}
    Tool.all_tenants.create(
        tenant=acme, key="post", name="Post", handler_config=config, input_schema={"type": "object"}
    )
    post = node("tool", tool_id="post", input={"q": "hi"}) | {"retry": {"max_attempts": 3, "backoff_s": 0.01}}
    done = run(acme, post)
    assert (done.status, done.result["error_type"]) == (Status.FAILED, "ToolUnavailable")
    assert len(far_end.hits) == 3 and {hit.headers["idempotency-key"] for hit in far_end.hits} == {f"{done.pk}:a"}


def test_a_draft_run_does_not_let_a_writing_tool_act(acme: "Tenant", far_end: FarEnd) -> None:
    config = {"url": far_end.url, "method": "POST"}
    effects = {"side_effects": ["external_write"], "input_schema": {"type": "object"}}
    Tool.all_tenants.create(tenant=acme, key="post", name="Post", handler_config=config, **effects)
    done = run(acme, node("tool", tool_id="post", input={}), mode="draft")
    assert (done.status, done.result["preview"], far_end.hits) == (Status.COMPLETED, True, [])


@pytest.mark.parametrize(
    "config,named", [({"agent_id": "agent.ghost"}, "agent.ghost"), ({}, "agent_id"), ({"agent_id": 5}, "agent_id")]
)
def test_a_definition_with_an_unknown_agent_is_refused(acme: "Tenant", config: dict[str, Any], named: str) -> None:
    with pytest.raises(Invalid, match=named):
        make_workflow(acme, node("agent", **config))


def test_a_definition_with_an_unknown_tool_is_refused(acme: "Tenant") -> None:
    with pytest.raises(Invalid, match="ghost"):
        make_workflow(acme, node("tool", tool_id="ghost"))


def static(id: str) -> dict[str, Any]:
    """A node that answers its own id."""
    return node("static", id, output={"at": id})


def test_a_router_asks_its_agent(acme: "Tenant") -> None:
    agent = new_agent(acme, "<<say: repairs>>")
    routes = [{"id": "billing", "target_node": "b"}, {"id": "repairs", "target_node": "r"}]
    pick = node("router", "pick", router_agent_id=agent, routes=routes)
    done = run(acme, pick, static("b"), static("r"), edges=[{"from": "pick", "to": "b"}, {"from": "pick", "to": "r"}])
    assert done.result == {"at": "r"} and told(done, "llm_call")[0]["agent_id"] == agent


def test_a_router_whose_agent_fails_takes_the_first_route(acme: "Tenant") -> None:
    agent = new_agent(acme, is_active=False)
    routes = [{"id": "billing", "target_node": "b"}, {"id": "repairs", "target_node": "r"}]
    pick = node("router", "pick", router_agent_id=agent, routes=routes)
    done = run(acme, pick, static("b"), static("r"), edges=[{"from": "pick", "to": "b"}, {"from": "pick", "to": "r"}])
    assert done.result == {"at": "b"}


@pytest.mark.parametrize("answer,target", [("1", "yes"), ("0", "no")])
def test_a_condition_in_plain_words_is_put_to_the_evaluator(acme: "Tenant", answer: str, target: str) -> None:
    asked = {"from": "a", "to": "yes", "condition": "the guest sounds angry"}
    spoken = node("static", "a", output={"text": f"Hm <<say: {answer}>>"})
    done = run(acme, spoken, static("yes"), static("no"), edges=[asked, {"from": "a", "to": "no"}])
    assert done.result == {"at": target} and told(done, "llm_call")[0]["agent_id"] == "agent.condition_evaluator"
