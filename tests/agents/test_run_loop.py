"""The agent loop against the scripted model server and real tools."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from agents.catalog.lookup import AgentSpec
from agents.errors import AgentExecutionError
from agents.llm import model_choice
from agents.llm.chat_model import ModelProfile
from agents.loop import agent_loop, model_calls
from agents.tools.functions import functions_by_name
from agents.tools.lookup import find_tools
from governance.budgets.reservations import BudgetExceeded
from orchestration.program.retry import Retry, StepFailed
from tests.agents.context import MemoryContext
from tests.agents.far_end import FarEnd
from tests.model_server import ModelServer

LIST = '<<call: ticketing_list_open {"tickets": [{"id": "A", "subject": "Fire"}]}>>'


def agent(instructions: str = "You are helpful.", tools: tuple[str, ...] = (), **profile: Any) -> AgentSpec:
    """An agent of the gateway's model gpt-4o-mini."""
    known = {"provider": "openai", "model": "gpt-4o-mini", **profile}
    return AgentSpec(
        "agent.test", "Test", instructions=instructions, profile=ModelProfile(**known), allowed_tools=tools
    )


def run(ctx: MemoryContext, who: AgentSpec, message: str, **ask: Any) -> agent_loop.Turn:
    """One run of the loop."""

    async def once() -> agent_loop.Turn:
        try:
            return await agent_loop.run_agent(ctx, who, agent_loop.AgentRequest(message, **ask), prefix="ask")  # type: ignore[arg-type]
        finally:
            await model_choice.close()

    return asyncio.run(once())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between tries of a model call."""
    monkeypatch.setattr(model_calls, "MODEL_RETRY", Retry(3, 0.0))


def test_an_answer_is_one_model_call(gateway: ModelServer) -> None:
    ctx = MemoryContext()
    assert run(ctx, agent(), "Hello <<say: hi there>>") == agent_loop.Turn("hi there", "stop", [])
    assert list(ctx.recorded) == ["ask/model-1"]


def test_the_model_gets_instructions_message_and_profile(gateway: ModelServer) -> None:
    run(MemoryContext(), agent("Be brief.", temperature=0.3, max_tokens=50), "Olá, tudo bem?")
    (asked,) = gateway.requests
    assert [m["content"] for m in asked["messages"]] == ["Be brief.", "Olá, tudo bem?"]
    assert (asked["model"], asked["temperature"], asked["max_tokens"]) == ("gpt-4o-mini", 0.3, 50)
    assert "tools" not in asked


def test_an_llm_call_is_told_once_with_usage_and_cost(gateway: ModelServer) -> None:
    ctx = MemoryContext()
    run(ctx, agent(), "Hello <<words: 100>>")
    (told,) = ctx.told("llm_call")
    assert told["usage"]["completionTokens"] == 100 and told["usage"]["promptTokens"] > 0
    assert (told["agent_id"], told["model"], told["provider"], told["priced"]) == (
        "agent.test",
        "gpt-4o-mini",
        "openai",
        True,
    )
    assert told["estimated_cost_cents"] == pytest.approx(ctx.bills[0].cost_micro / 10_000)
    assert told["finishReason"] == "stop" and told["latency_ms"] >= 0


def test_the_reservation_covers_the_cost(gateway: ModelServer) -> None:
    ctx = MemoryContext()
    run(ctx, agent(max_tokens=200), "Hello <<words: 200>>")
    (bill,) = ctx.bills
    assert 0 < bill.cost_micro <= bill.held_micro and bill.completion_tokens == 200


def test_a_model_of_unknown_price_is_told_as_such_and_charged_when_limits_apply(gateway: ModelServer) -> None:
    free, limited = MemoryContext(), MemoryContext(limited=True)
    for ctx in (free, limited):
        run(ctx, agent(model="house-blend-7"), "Hello <<words: 10>>")
    assert [ctx.told("llm_call")[0]["priced"] for ctx in (free, limited)] == [False, False]
    assert free.told("llm_call")[0]["estimated_cost_cents"] is None
    assert free.bills[0].cost_micro == 0 and limited.bills[0].cost_micro > 0
    assert limited.bills[0].held_micro >= limited.bills[0].cost_micro


def test_a_tool_call_is_made_and_its_result_told_to_the_model(gateway: ModelServer) -> None:
    ctx = MemoryContext()
    turn = run(ctx, agent(tools=("ticketing.list_open",)), f"Which are open? {LIST} <<say: just A>>")
    assert turn.text == "just A" and turn.tool_calls[0]["toolId"] == "ticketing.list_open"
    assert turn.tool_calls[0]["result"] == {"tickets": [{"id": "A", "subject": "Fire"}], "count": 1}
    assert list(ctx.recorded) == ["ask/model-1", "ask/tool-1.1", "ask/model-2"]
    last = gateway.requests[-1]["messages"][-1]
    assert last["role"] == "tool" and json.loads(last["content"])["count"] == 1
    assert gateway.requests[0]["tools"][0]["function"]["name"] == "ticketing_list_open"


def test_a_tool_call_is_told_once(gateway: ModelServer) -> None:
    ctx = MemoryContext()
    run(ctx, agent(tools=("ticketing.list_open",)), f"Which? {LIST}")
    (told,) = ctx.told("tool_call")
    assert (told["tool_id"], told["risk_level"], told["output"]["count"]) == ("ticketing.list_open", "low", 1)
    assert told["duration_ms"] >= 0 and "error" not in told


def test_a_tool_that_is_not_allowed_is_not_called(gateway: ModelServer, far_end: FarEnd) -> None:
    message = f'Try <<call: http_request {{"url": "{far_end.url}"}}>> <<say: no>>'
    turn = run(MemoryContext(), agent(tools=("ticketing.list_open",)), message)
    assert far_end.hits == [] and turn.text == "no"
    assert turn.tool_calls[0]["result"]["error_type"] == "TOOL_NOT_FOUND"


@pytest.mark.parametrize("arguments", ['{"url": [5]}', "{}", "[1]", '{"url"'])
def test_wrong_arguments_are_told_to_the_model_and_do_not_fail_the_turn(gateway: ModelServer, arguments: str) -> None:
    ctx = MemoryContext()
    turn = run(ctx, agent(tools=("http.request",)), f"Try <<call: http_request {arguments}>> <<say: it failed>>")
    assert turn.text == "it failed" and turn.tool_calls[0]["result"]["error_type"] == "VALIDATION_ERROR"
    assert ctx.tries["ask/tool-1.1"] == 1


def test_a_replay_asks_nobody_and_tells_nothing_again(gateway: ModelServer) -> None:
    first = MemoryContext()
    message = f"Which? {LIST} <<say: A>>"
    turn = run(first, agent(tools=("ticketing.list_open",)), message)
    asked = len(gateway.requests)
    again = MemoryContext(recorded=first.recorded)
    assert run(again, agent(tools=("ticketing.list_open",)), message) == turn
    assert again.events == [] and len(gateway.requests) == asked


def test_a_replay_goes_on_where_it_stopped(gateway: ModelServer) -> None:
    first = MemoryContext()
    message = f"Which? {LIST} <<say: A>>"
    run(first, agent(tools=("ticketing.list_open",)), message)
    asked = len(gateway.requests)
    first.recorded.pop("ask/model-2")
    assert run(MemoryContext(recorded=first.recorded), agent(tools=("ticketing.list_open",)), message).text == "A"
    assert len(gateway.requests) == asked + 1


def test_an_agent_that_never_answers_is_stopped(gateway: ModelServer) -> None:
    ctx = MemoryContext()
    with pytest.raises(AgentExecutionError, match="within 3 model calls"):
        run(ctx, replace(agent(tools=("ticketing.list_open",)), max_turns=3), "<<call*99: ticketing_list_open {}>>")
    assert len(ctx.told("llm_call")) == 3


def test_a_passing_fault_of_the_model_is_tried_again(gateway: ModelServer) -> None:
    ctx = MemoryContext()
    assert run(ctx, agent(), "<<fail: passing 2>> <<say: fine now>>").text == "fine now"
    told = ctx.told("llm_call")
    assert [call.get("error_type") for call in told] == ["ModelUnavailable", "ModelUnavailable", None]


@pytest.mark.parametrize("status,tries", [(429, 3), (500, 3), (503, 3), (400, 1), (401, 1), (404, 1), (422, 1)])
def test_a_lasting_fault_fails_after_as_many_tries_as_make_sense(gateway: ModelServer, status: int, tries: int) -> None:
    ctx = MemoryContext()
    with pytest.raises(StepFailed) as failed:
        run(ctx, agent(), f"<<status: {status}>>")
    assert failed.value.error_type == ("ModelUnavailable" if tries == 3 else "AGENT_EXECUTION_ERROR")
    assert ctx.tries["ask/model-1"] == tries and len(gateway.requests) == tries
    assert all(bill.cost_micro == 0 for bill in ctx.bills)


def test_a_call_beyond_the_budget_is_not_made(gateway: ModelServer) -> None:
    ctx = MemoryContext(calls_left=1)
    with pytest.raises(BudgetExceeded):
        run(ctx, agent(tools=("ticketing.list_open",)), f"Which? {LIST}")
    assert len(gateway.requests) == 1


def test_a_draft_may_read(gateway: ModelServer, far_end: FarEnd) -> None:
    message = f"Get <<call: http_request {json.dumps({'url': far_end.url})}>> <<say: read>>"
    turn = run(MemoryContext(mode="draft"), agent(tools=("http.request",)), message)
    assert turn.tool_calls[0]["result"]["body"] == {"ok": True} and len(far_end.hits) == 1


def test_names_for_the_model_lead_back_to_each_tool() -> None:
    made = find_tools("acme", ["http.request", "ticketing.list_open"])
    twins = [*made, *(type(t)(**{**vars(t), "id": t.id.replace(".", "_")}) for t in made)]
    named = functions_by_name(twins)
    assert list(named) == ["http_request", "ticketing_list_open", "http_request_2", "ticketing_list_open_2"]
    assert [tool.id for tool in named.values()] == [tool.id for tool in twins]


def test_secrets_do_not_reach_the_events(gateway: ModelServer, far_end: FarEnd) -> None:
    ctx = MemoryContext()
    headers = {"Authorization": "Bearer planted-secret-1", "X-Api-Key": "planted-secret-2"}
    arguments = json.dumps({"url": far_end.url, "headers": headers})
    run(ctx, agent(tools=("http.request",)), f"Get <<call: http_request {arguments}>>")
    assert far_end.hits[0].headers["authorization"] == "Bearer planted-secret-1"
    assert "planted-secret" not in str(ctx.events)


@pytest.mark.parametrize("reply", ['{"a": 1}', '```json\n{"a": 1}\n```', ' {"a": 1} '])
def test_an_answer_that_is_a_json_object_is_the_result(reply: str) -> None:
    from agents.workflow_nodes import result

    assert result(agent_loop.Turn(reply, "stop")) == {"a": 1}


@pytest.mark.parametrize("reply", ["plain", "[1, 2]", '{"a": ', "", "3"])
def test_any_other_answer_is_text(reply: str) -> None:
    from agents.workflow_nodes import result

    assert result(agent_loop.Turn(reply, "stop")) == {"text": reply, "toolCalls": [], "finishReason": "stop"}
