"""What policies judge, people approve and records show is what the tool gets, whichever way a call comes."""

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Tenant
from agents.loop.tool_calls import call_tool
from agents.models import Tool
from agents.tools.registry import ToolCall, ToolSpec
from config.errors import Invalid
from governance import vault
from governance.models import Policy, PolicyDecision
from orchestration.models import Approval, Change, Run, RunEvent, Step
from orchestration.program.waits.approvals import call_digest
from tests.agents.context import MemoryContext
from tests.agents.far_end import FarEnd
from tests.factories import log_in, make_agent, make_user, make_workflow, token_of
from tests.front import Front
from tests.model_server import ModelServer
from tests.orchestration.running import ended, reached, start

if TYPE_CHECKING:
    from rest_framework.test import APIClient

AMOUNT = {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}
SEVENTIES = ["70", " 70 ", 70.0, 70]


@pytest.fixture
def pay(acme: Tenant, far_end: FarEnd, engine: Any) -> Tool:
    """A tool that pays an amount, which a policy forbids from 50 on."""
    tool = Tool.all_tenants.create(
        tenant=acme, key="pay", name="Pay", description="x", input_schema=AMOUNT, handler_type="http",
        handler_config={"url": far_end.url, "method": "POST"}, risk_level="high", side_effects=["payment"],
        sealed=vault.encrypt({"headers": {}}),
    )  # fmt: skip
    policy(acme, "deny", 50)
    return tool


@pytest.fixture
def boss(acme: Tenant) -> "APIClient":
    """A developer of acme."""
    return log_in(make_user(acme, "developer"))


def policy(tenant: Tenant, effect: str, amount: int, **more: Any) -> Policy:
    """A policy about amounts from this one on."""
    rule = {"condition": {"input.amount": {"gte": amount}}, "effect": effect} | more
    return Policy.all_tenants.create(
        tenant=tenant, name=f"{effect} {amount}", scope="tool", scope_id="pay", rule_expr=rule
    )


def payment(amount: Any) -> dict[str, Any]:
    """A node that pays."""
    return {"id": "pay", "type": "tool", "config": {"tool_id": "pay", "input": {"amount": amount}}}


def flow(tenant: Tenant, *nodes: dict, mode: str = "auto", **input: Any) -> Run:
    """A run of these nodes."""
    made = make_workflow(tenant, *nodes)
    return start(tenant, "workflow", input, subject_id=str(made.pk), subject_version=1, mode=mode)


def paid(far_end: FarEnd) -> list[Any]:
    """The amounts that were paid."""
    return [json.loads(hit.body)["amount"] for hit in far_end.hits]


def question(run: Run) -> Approval:
    """What the run asks a person."""
    reached(run, "paused")
    return Approval.all_tenants.get(run_id=run.pk, approved__isnull=True)


def decide(api: "APIClient", approval: Approval, **body: Any) -> Any:
    """The answer to a yes."""
    return api.post(f"/api/v1/approvals/{approval.pk}/decide", {"approved": True, **body}, format="json")


@pytest.mark.parametrize("amount", SEVENTIES, ids=repr)
def test_a_node_is_judged_on_what_the_tool_gets(acme: Tenant, pay: Tool, far_end: FarEnd, amount: Any) -> None:
    run = ended(flow(acme, payment("$input.amount"), amount=amount))
    assert (run.status, run.failure_reason, paid(far_end)) == ("failed", "policy_denied", [])


def test_each_item_of_a_map_is_judged_on_what_the_tool_gets(acme: Tenant, pay: Tool, far_end: FarEnd) -> None:
    inner = {"type": "tool", "config": {"tool_id": "pay", "input": {"amount": "$item"}}}
    each = {"id": "each", "type": "map", "config": {"items": "$input.amounts", "node": inner, "max_parallel": 1}}
    run = ended(flow(acme, each, amounts=["10", "70"]))
    assert (run.status, paid(far_end)) == ("failed", [10])


def test_an_agents_call_is_judged_on_what_the_tool_gets(
    acme: Tenant, pay: Tool, far_end: FarEnd, gateway: ModelServer
) -> None:
    make_agent(acme, "clerk", allowed_tools=["pay"])
    calls = '<<step: pay {"amount": "70"}>> <<step: pay {"amount": " 20 "}>> <<then: done>>'
    run = ended(flow(acme, {"id": "ask", "type": "agent", "config": {"agent_id": "clerk", "prompt": calls}}))
    assert (run.status, paid(far_end)) == ("completed", [20])
    denied, made = run.result["toolCalls"]
    assert denied["result"]["error_type"] == "POLICY_DENIED"
    assert (made["args"], made["result"]) == ({"amount": 20}, {"ok": True})
    step = Step.all_tenants.get(run_id=run.pk, name__endswith="/tool-2.1")
    assert step.input == {"amount": 20}


@pytest.mark.parametrize("amount", SEVENTIES, ids=repr)
def test_a_call_from_outside_is_judged_alike(
    acme: Tenant, pay: Tool, boss: "APIClient", far_end: FarEnd, amount: Any
) -> None:
    execution = boss.post("/api/v1/tools/pay/execute", {"amount": amount}, format="json").json()
    assert ended(Run.all_tenants.get(pk=execution["id"])).failure_reason == "policy_denied" and paid(far_end) == []


def test_records_show_what_the_tool_gets(acme: Tenant, pay: Tool, far_end: FarEnd) -> None:
    run = ended(flow(acme, payment("$input.amount"), amount=" 10 "))
    assert paid(far_end) == [10]
    assert RunEvent.all_tenants.get(run_id=run.pk, kind="tool_call").payload["input"] == {"amount": 10}
    assert PolicyDecision.all_tenants.get(run_id=run.pk, action="tool_call").context["input"] == {"amount": 10}
    assert Step.all_tenants.get(run_id=run.pk, name="pay").input == {"amount": 10}


def test_each_digit_of_a_large_amount_is_judged_and_sent(acme: Tenant, pay: Tool, far_end: FarEnd) -> None:
    digits = "123456789012345678901234567890"
    assert ended(flow(acme, payment("$input.amount"), amount=digits)).failure_reason == "policy_denied"
    Policy.all_tenants.all().delete()
    policy(acme, "deny", int(digits) + 1)
    assert ended(flow(acme, payment("$input.amount"), amount=digits)).status == "completed"
    assert [hit.body for hit in far_end.hits] == [b'{"amount":%s}' % digits.encode()]


def test_what_does_not_fit_is_refused_before_anybody_is_asked(acme: Tenant, pay: Tool, far_end: FarEnd) -> None:
    policy(acme, "require_approval", 0)
    run = ended(flow(acme, payment("much")))
    assert (run.status, run.result["error_type"], paid(far_end)) == ("failed", "VALIDATION_ERROR", [])
    assert not PolicyDecision.all_tenants.filter(run_id=run.pk, action="tool_call").exists()
    failed = RunEvent.all_tenants.get(run_id=run.pk, kind="tool_call").payload
    assert (failed["input"], failed["error_type"]) == ({"amount": "much"}, "VALIDATION_ERROR")


def test_an_approval_is_bound_to_what_the_tool_gets(
    acme: Tenant, pay: Tool, far_end: FarEnd, boss: "APIClient"
) -> None:
    rule = policy(acme, "require_approval", 5)
    run = flow(acme, payment("$input.amount"), amount="20")
    asked = question(run)
    assert asked.arguments == {"amount": 20}
    assert asked.digest == call_digest(run.pk, "pay", {"amount": 20}, f"{rule.pk}:{rule.version}")
    assert decide(boss, asked).status_code == 200
    assert ended(run).status == "completed" and paid(far_end) == [20]


@pytest.mark.parametrize("amount, outcome", [("6", [6]), (" 70 ", []), (70.0, [])], ids=repr)
def test_edited_arguments_are_coerced_and_judged_again(
    acme: Tenant, pay: Tool, far_end: FarEnd, boss: "APIClient", amount: Any, outcome: list[int]
) -> None:
    policy(acme, "require_approval", 5)
    run = flow(acme, payment(20))
    assert decide(boss, question(run), arguments={"amount": amount}).status_code == 200
    assert (ended(run).status == "completed") == bool(outcome) and paid(far_end) == outcome
    inputs = [row.context["input"] for row in PolicyDecision.all_tenants.filter(run_id=run.pk, action="tool_call")]
    assert inputs[-1] == {"amount": int(float(amount))}


def test_edited_arguments_that_another_rule_is_about_ask_again(
    acme: Tenant, pay: Tool, far_end: FarEnd, boss: "APIClient"
) -> None:
    policy(acme, "require_approval", 5)
    strict = policy(acme, "require_approval", 30, approval={"role": "admin"})
    Policy.all_tenants.filter(pk=strict.pk).update(priority=1)
    run = flow(acme, payment(20))
    assert decide(boss, question(run), arguments={"amount": "40"}).status_code == 200
    again = question(run)
    assert (again.role, again.arguments, paid(far_end)) == ("admin", {"amount": 40}, [])
    assert decide(boss, again).status_code == 403
    assert decide(log_in(make_user(acme, "admin")), again).status_code == 200
    assert ended(run).status == "completed" and paid(far_end) == [40]


def test_what_was_approved_is_what_each_record_shows(
    acme: Tenant, pay: Tool, far_end: FarEnd, boss: "APIClient", gateway: ModelServer
) -> None:
    policy(acme, "require_approval", 5)
    make_agent(acme, "clerk", allowed_tools=["pay"])
    prompt = '<<call: pay {"amount": "20"}>> <<then: done>>'
    run = flow(acme, {"id": "ask", "type": "agent", "config": {"agent_id": "clerk", "prompt": prompt}})
    assert decide(boss, question(run), arguments={"amount": "6"}).status_code == 200
    run = ended(run)
    assert [call["args"] for call in run.result["toolCalls"]] == [{"amount": 6}] and paid(far_end) == [6]
    assert Step.all_tenants.get(run_id=run.pk, name__endswith="/tool-1.1").input == {"amount": 6}


def test_an_execution_that_waits_for_a_person_says_so_at_once(
    acme: Tenant, pay: Tool, far_end: FarEnd, front: Front, boss: "APIClient"
) -> None:
    policy(acme, "require_approval", 5)
    token = token_of(make_user(acme, "developer"))
    execution = front.post("/api/v1/tools/pay/execute", token, {"amount": "20"}).json()
    asked = question(Run.all_tenants.get(pk=execution["id"]))
    assert (execution["status"], execution["approval_id"]) == ("running", str(asked.pk))
    assert decide(boss, asked, arguments={"amount": "6"}).status_code == 200
    ended(Run.all_tenants.get(pk=execution["id"]))
    assert paid(far_end) == [6]


def test_an_apply_that_waits_for_a_person_is_shown_with_what_it_was_approved_for(
    acme: Tenant, pay: Tool, far_end: FarEnd, front: Front, boss: "APIClient"
) -> None:
    draft = ended(flow(acme, payment(20), mode="draft"))
    policy(acme, "require_approval", 5)
    token = token_of(make_user(acme, "developer"))
    answer = front.post(f"/api/v1/runs/{draft.pk}/apply", token, {}).json()
    assert answer["status"] == "applying"
    apply = Run.all_tenants.get(pk=answer["apply_run_id"])
    assert decide(boss, question(apply), arguments={"amount": "6"}).status_code == 200
    assert ended(apply).status == "completed" and paid(far_end) == [6]
    change = Change.all_tenants.get(run_id=draft.pk)
    assert (change.status, change.arguments, change.after) == ("applied", {"amount": 6}, {"amount": 6})


def test_an_applied_draft_is_judged_on_what_the_tool_gets(
    acme: Tenant, pay: Tool, far_end: FarEnd, boss: "APIClient"
) -> None:
    draft = ended(flow(acme, payment("$input.amount"), mode="draft", amount=" 20 "))
    change = Change.all_tenants.get(run_id=draft.pk)
    assert (change.arguments, change.after) == ({"amount": 20}, {"amount": 20})
    Policy.all_tenants.all().delete()
    late = policy(acme, "deny", 15)
    assert boss.post(f"/api/v1/runs/{draft.pk}/apply", {}, format="json").status_code == 403 and paid(far_end) == []
    late.delete()
    assert boss.post(f"/api/v1/runs/{draft.pk}/apply", {}, format="json").status_code in (200, 202)
    applied = ended(Run.all_tenants.get(kind="apply", subject_id=str(draft.pk)))
    assert applied.status == "completed" and paid(far_end) == [20]
    assert RunEvent.all_tenants.get(run_id=applied.pk, kind="tool_call").payload["input"] == {"amount": 20}


def test_a_draft_that_its_tool_no_longer_takes_is_not_applied(
    acme: Tenant, pay: Tool, far_end: FarEnd, boss: "APIClient"
) -> None:
    draft = ended(flow(acme, payment(20), mode="draft"))
    pay.input_schema = {"type": "object", "properties": {"amount": {"type": "integer", "maximum": 10}}}
    pay.save()
    refused = boss.post(f"/api/v1/runs/{draft.pk}/apply", {}, format="json")
    assert refused.status_code == 409 and "pay" in refused.json()["message"] and paid(far_end) == []
    assert Change.all_tenants.get(run_id=draft.pk).status == "staged"


# ---- any schema, any arguments

TYPES = ["integer", "number", "boolean", "string", "array", "object", ["integer", "null"], ["string", "number"]]
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**6), 10**6), st.floats(allow_nan=False, allow_infinity=False))
    | st.sampled_from(["70", " 7 ", "7.0", "true", "null", "", "[1]", '{"a": "1"}', "x", "1e3", "007"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)
PARTS = st.sampled_from(TYPES).map(lambda kind: {"type": kind})
OBJECTS = st.dictionaries(st.sampled_from("xyz"), PARTS, max_size=3)


@given(properties=OBJECTS, arguments=st.dictionaries(st.sampled_from("xyzw"), VALUES, max_size=4))
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_handler_event_and_policies_see_one_input(properties: dict[str, Any], arguments: dict[str, Any]) -> None:
    inputs: list[Any] = []

    async def handler(call: ToolCall) -> Any:
        inputs.append(call.input)
        return None

    tool = ToolSpec("x.tool", "X", "x", {"type": "object", "properties": properties}, handler, side_effects=("act",))
    ctx = MemoryContext()
    call = ToolCall(ctx, tool, arguments, "s", "auto", ctx.run)  # type: ignore[arg-type]
    try:
        asyncio.run(call_tool(call))
    except Invalid:
        assert inputs == [] and ctx.decisions == []
        return
    (event,) = ctx.told("tool_call")
    (decision,) = ctx.decisions
    assert inputs == [event["input"]] == [decision["input"]] == [ctx.inputs["s"]]
    asyncio.run(call_tool(replace(call, input=inputs[0])))
    assert inputs[0] == inputs[1], "what fits is left as it is"
