"""The built-in offline model: it says that it is offline, and triages, routes, judges and calls tools by rules."""

import asyncio
import json
from typing import Any

import pytest

from agents.catalog.demo_agents import TRIAGE_AGENT
from agents.catalog.lookup import BUILT_IN, AgentSpec
from agents.llm import model_choice
from agents.llm.chat_model import ModelProfile, ModelReply, ModelRequest
from agents.tools.functions import functions_by_name
from agents.tools.lookup import find_tools
from orchestration.workflows import routing
from tests.agents.context import MemoryContext
from tests.agents.test_run_loop import run

pytestmark = pytest.mark.usefixtures("offline")
TRIAGE = AgentSpec(
    "agent.ticket_triage",
    "Triage",
    instructions=TRIAGE_AGENT["instructions"],
    profile=ModelProfile("openai", "gpt-4o-mini"),
    allowed_tools=tuple(TRIAGE_AGENT["allowed_tools"]),
)
TICKETS = [
    {"id": "T-7", "subject": "Dúvida: a que horas é o café?", "status": "open"},
    {"id": "T-8", "subject": "Vazamento de água no quarto 12", "status": "open"},
    {"id": "T-9", "subject": "The Wi-Fi does not work", "status": "open"},
    {"id": "T-10", "subject": "Please bring two more towels", "status": "open"},
]


def ask(agent_id: str, message: str, *tools: str, instructions: str = "") -> ModelReply:
    """The offline model's reply."""
    definitions = [
        {"function": {"name": n, "parameters": t.input_schema}}
        for n, t in functions_by_name(find_tools("x", tools)).items()
    ]
    system = [{"role": "system", "content": instructions}] if instructions else []
    messages: list[dict[str, Any]] = [*system, {"role": "user", "content": message}]
    return asyncio.run(
        model_choice.chat_model(ModelProfile("openai", "gpt-4o")).complete(
            ModelRequest(agent_id, ModelProfile("openai", "gpt-4o"), messages, definitions)
        )
    )


def test_it_says_that_it_is_offline() -> None:
    reply = ask("agent.x", "What is the capital of France?")
    assert "offline" in reply.text and (reply.provider, reply.cost_micro, reply.priced) == ("offline", 0, True)
    assert reply.prompt_tokens == 6 and reply.completion_tokens > 0


def test_the_same_question_gets_the_same_answer() -> None:
    message = json.dumps(TICKETS)
    assert ask("a", message, instructions="Triage.").text == ask("a", message, instructions="Triage.").text


def test_tickets_are_triaged_in_two_languages() -> None:
    ctx = MemoryContext()
    result = json.loads(run(ctx, TRIAGE, json.dumps({"hotel": "VV", "tickets": TICKETS})).text)
    priorities = {row["id"]: row["priority"] for row in result["tickets"]}
    assert priorities == {"T-8": "urgent", "T-9": "high", "T-10": "normal", "T-7": "low"}
    assert list(priorities) == ["T-8", "T-9", "T-10", "T-7"]
    assert "4 tickets" in result["summary"] and "offline" in result["summary"]
    assert {"id", "subject", "status", "priority", "action"} == set(result["tickets"][0])
    assert ctx.told("llm_call")[0]["provider"] == "offline"


def test_without_tickets_the_triage_agent_lists_the_open_ones_first() -> None:
    turn = run(MemoryContext(), TRIAGE, json.dumps({"hotel_id": "VV-LISBON"}))
    assert [row["id"] for row in json.loads(turn.text)["tickets"]] == ["T-1", "T-2"]
    assert [call["toolId"] for call in turn.tool_calls] == ["ticketing.list_open"]


def test_no_tickets_are_no_triage() -> None:
    assert json.loads(run(MemoryContext(), TRIAGE, '{"tickets": []}').text)["tickets"] == []


def test_a_ticket_is_never_less_urgent_than_it_says() -> None:
    tickets = [{"id": "1", "subject": "A question", "priority": "high"}]
    assert json.loads(ask("a", json.dumps(tickets), instructions="Triage.").text)["tickets"][0]["priority"] == "high"


ROUTES = "- billing: invoices and payments\n- repairs: broken things in rooms\n- other"


@pytest.mark.parametrize(
    "text,route", [("My invoice is wrong", "billing"), ("The lamp is broken", "repairs"), ("Hm", "billing")]
)
def test_a_route_is_picked_by_shared_words(text: str, route: str) -> None:
    message = routing._CHOOSE.format(routes=ROUTES, output=text)
    assert ask("agent.router", message, instructions=BUILT_IN["agent.router"].instructions).text == route


@pytest.mark.parametrize(
    "text,number", [("The guest is angry", "1"), ("The guest wants a refund", "2"), ("Fine weather", "0")]
)
def test_a_condition_is_judged_by_shared_words(text: str, number: str) -> None:
    message = routing._JUDGE.format(conditions="1. sounds angry\n2. asks for a refund", output=text)
    assert ask("agent.condition_evaluator", message).text == number


def test_a_tool_that_the_message_names_is_called() -> None:
    reply = ask("a", 'Please use http.request with {"url": "https://example.com/"}', "http.request")
    (call,) = reply.tool_calls
    assert (call.name, json.loads(call.arguments)) == ("http_request", {"url": "https://example.com/"})
    assert reply.finish_reason == "tool_calls"


def test_a_tool_that_nobody_names_is_not_called() -> None:
    assert ask("a", "Hello", "http.request", "ticketing.list_open").tool_calls == []


def test_a_tools_answer_is_passed_on() -> None:
    agent = AgentSpec("a", "A", allowed_tools=("ticketing.list_open",))
    turn = run(MemoryContext(), agent, "Call ticketing.list_open")
    assert "T-1" in turn.text and "offline" in turn.text


@pytest.mark.parametrize("message", ["[" * 5000, "{" * 5000, '{"tickets": [1, null]}', "{}", "\u0000", "[[[[]]]]"])
def test_odd_messages_get_an_answer_too(message: str) -> None:
    assert ask("a", message, instructions="Triage the tickets.").text
