"""Turns with models that do not keep to the book: what the client sees is what is recorded, and the talk goes on."""

import asyncio
import json
import zlib
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from accounts.models import User
from agents.conversations.program import NewTurn, start_turn
from agents.conversations.turn_frames import TurnFrames
from agents.loop import model_calls
from orchestration.models import Run, RunEvent
from orchestration.program.retry import Retry
from orchestration.program.text_stream import TextPiece
from tests.agents.far_end import FarEnd
from tests.factories import make_agent, make_user, token_of
from tests.front import Front, OpenStream, frames
from tests.model_replies import Reply, message, stream
from tests.model_server import ModelServer
from tests.strict_provider import faults

if TYPE_CHECKING:
    from accounts.models import Tenant

pytestmark = pytest.mark.usefixtures("gateway", "engine")
URL = "/api/v1/agents/agent.helper/conversation"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between tries of a model call."""
    monkeypatch.setattr(model_calls, "MODEL_RETRY", Retry(3, 0.0))


@pytest.fixture
def token(acme: "Tenant") -> str:
    """A plain member's token."""
    make_agent(acme, allowed_tools=["ticketing.list_open", "http.request"], memory={"recall": False, "store": False})
    return token_of(make_user(acme))


def turn(front: Front, token: str, text: str, **body: Any) -> list[dict[str, Any]]:
    """All frames of a turn."""
    return frames(front.post(URL, token, {"message": text, **body}))


def shown(turn: list[dict[str, Any]]) -> str:
    """The text that a client shows in the end: what was streamed, without what was taken back."""
    text = ""
    for frame in turn:
        if frame["type"] == "text":
            text += frame["content"]
        elif frame["type"] == "restart":
            text = text[: len(text) - frame["discard"]]
    return text


def run_of(turn: list[dict[str, Any]]) -> Run:
    """The turn's run."""
    return Run.all_tenants.get(pk=turn[0]["runId"])


CUT = [stream("The first half of ", "a sentence", finish=None, done=False, breaks=breaks) for breaks in (False, True)]


@pytest.mark.parametrize("cut", CUT, ids=["body whole", "connection broken"])
def test_a_cut_answer_is_asked_for_again(front: Front, token: str, gateway: ModelServer, cut: Reply) -> None:
    told = turn(front, token, gateway.play(cut, stream("The whole ", "sentence.")))
    assert shown(told) == told[-1]["result"] == run_of(told).result["text"] == "The whole sentence."
    assert len(gateway.requests) == 2


def test_a_tool_is_not_called_from_a_cut_answer(
    front: Front, token: str, gateway: ModelServer, far_end: FarEnd
) -> None:
    call = {"index": 0, "id": "a", "function": {"name": "http_request", "arguments": f'{{"url": "{far_end.url}"}}'}}
    told = turn(front, token, gateway.play(stream({"tool_calls": [call]}, finish=None, done=False), stream("Well.")))
    assert shown(told) == "Well." and far_end.hits == [] and not [f for f in told if f["type"] == "tool_call"]


@pytest.mark.parametrize("cut", CUT, ids=["body whole", "connection broken"])
def test_an_answer_that_is_always_cut_is_an_error(front: Front, token: str, gateway: ModelServer, cut: Reply) -> None:
    told = turn(front, token, gateway.play(cut))
    assert told[-1]["type"] == "error" and shown(told) == "" and len(gateway.requests) == 3
    assert run_of(told).status == "failed"


@pytest.mark.parametrize("kind, kinds", [("run_failed", ["restart", "error"]), ("run_cancelled", ["error"])])
def test_pieces_that_come_after_their_failure_are_taken_back_in_the_end(kind: str, kinds: list[str]) -> None:
    async def told() -> list[bytes]:
        told = TurnFrames(uuid4())
        event = {"step": "conversation/model-1", "status": "running", "input": None, "output": None, "error": None}
        told.event_frames(event | {"seq": 3, "kind": "llm_call", "payload": {"error": "It broke off."}})
        await told.text_frames(TextPiece(told.run_id, "conversation/model-1", "a", 0, "The first half"))
        return told.event_frames(event | {"seq": 4, "kind": kind, "payload": {"error": "It broke off."}})

    parts = asyncio.run(told())
    assert [json.loads(part.split(b"data: ")[1])["type"] for part in parts] == kinds


@pytest.mark.parametrize(
    "pieces, text",
    [(["smile ", "\ud83d", "\ude00", " done"], "smile 😀 done"), (["half ", "\ud83d", " pair"], "half \ufffd pair"),
     (["\ude00"], "\ufffd"), (["end \ud83d"], "end \ufffd"), (["nul \x00", "l"], "nul \ufffdl")],
)  # fmt: skip
def test_halves_of_characters_are_seen_as_they_are_recorded(
    front: Front, token: str, gateway: ModelServer, pieces: list[str], text: str
) -> None:
    told = turn(front, token, gateway.play(stream(*pieces)))
    assert shown(told) == told[-1]["result"] == run_of(told).result["text"] == text


EMPTY = [message(None), message(""), message(" \n"), message("", "content_filter"), message(None, refusal="")]


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("empty", EMPTY, ids=["null", "no text", "blanks", "filtered", "refused"])
def test_a_conversation_goes_on_after_an_empty_answer(
    front: Front, token: str, gateway: ModelServer, empty: Reply, streams: bool
) -> None:
    reply = stream({"content": None}, finish="content_filter") if streams else empty
    asked = [
        (gateway.play(stream("First.")), "one"),
        (gateway.play(reply), "two"),
        (gateway.play(stream("Third.")), "3"),
    ]
    told = [turn(front, token, f"{mark} {text}", conversation_id="mine") for mark, text in asked]
    assert [one[-1]["type"] for one in told] == ["complete"] * 3 and shown(told[2]) == "Third."
    assert [fault for request in gateway.requests for fault in faults(request)] == []
    sent = [m["content"] for m in gateway.requests[-1]["messages"] if m["role"] != "system"]
    assert sent == [f"{asked[0][0]} one", "First.", f"{asked[2][0]} 3"]


def call_of(arguments: str, name: str = "ticketing_list_open", id: str | None = "call_0") -> dict[str, Any]:
    """A call as models write it."""
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    "calls, finish, error_types",
    [
        ([call_of('{"tickets": [')], "tool_calls", ["VALIDATION_ERROR"]),
        ([call_of("[1]"), call_of("{}")], "tool_calls", ["VALIDATION_ERROR", None]),
        ([call_of("{}", "no such tool!")], "tool_calls", ["TOOL_NOT_FOUND"]),
        ([call_of("{}"), call_of("null"), call_of("")], "tool_calls", [None, None, None]),
        ([call_of("{}", id=None), call_of(" ", id=None)], "tool_calls", [None, None]),
        ([call_of('{"tickets": []}')], "length", ["VALIDATION_ERROR"]),
        ([call_of('{"tickets": []}')], "max_tokens", ["VALIDATION_ERROR"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("streams", [False, True])
def test_calls_that_cannot_be_made_are_told_and_the_model_is_asked_again(
    front: Front,
    token: str,
    gateway: ModelServer,
    calls: Any,
    finish: str,
    error_types: list[str | None],
    streams: bool,
) -> None:
    deltas = [{"tool_calls": [{"index": number} | one]} for number, one in enumerate(calls)]
    first = stream(*deltas, finish=finish) if streams else message(None, finish, tool_calls=calls)
    again = gateway.play(first, first, message("I see."))
    told = turn(front, token, again)
    assert told[-1]["type"] == "complete" and shown(told) == "I see.", told
    assert [fault for request in gateway.requests for fault in faults(request)] == []
    shown_calls = [frame["toolCall"]["result"].get("error_type") for frame in told if frame["type"] == "tool_call"]
    events = RunEvent.all_tenants.filter(run=told[0]["runId"], kind="tool_call")
    assert sorted(shown_calls, key=str) == sorted(error_types * 2, key=str)
    assert sorted([event.payload.get("error_type") for event in events], key=str) == sorted(error_types * 2, key=str)


def test_a_page_in_the_place_of_an_answer_is_told_in_a_sentence(front: Front, token: str, gateway: ModelServer) -> None:
    told = turn(front, token, gateway.play(Reply(b"<html>Traceback (most recent call last)</html>", "text/html")))
    assert told[-1]["type"] == "error" and "cannot be read" in told[-1]["error"]
    assert "Traceback" not in str(told) + str(list(RunEvent.all_tenants.values_list("payload")))


# ---- answers that do not fit the agent's output_schema

SCHEMA = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}, "additionalProperties": False}
WRONG = ["I think it is one.", '```json\n{"a": "one"}\n```', '{"b": 1}', "😀 é one", "[1]"]


@pytest.fixture
def strict(acme: "Tenant") -> str:
    """A plain member's token; the agent's answers must fit SCHEMA."""
    make_agent(acme, output_schema=SCHEMA, memory={"recall": False, "store": False})
    return token_of(make_user(acme))


def again(front: Front, token: str, run_id: str, place: str) -> list[dict[str, Any]]:
    """What a client is sent that comes back from this place."""
    return frames(front.request("GET", URL, token, params={"run_id": run_id}, headers={"Last-Event-ID": place}))


@pytest.mark.parametrize("answer", [stream, message], ids=["streamed", "whole"])
@pytest.mark.parametrize("wrong", WRONG)
def test_an_answer_that_does_not_fit_is_taken_back(
    front: Front, strict: str, gateway: ModelServer, wrong: str, answer: Any
) -> None:
    told = turn(front, strict, gateway.play(answer(wrong), answer('{"a": 1}')))
    run = run_of(told)
    assert shown(told) == told[-1]["result"] == run.result["text"] == '{"a": 1}'
    assert [frame["discard"] for frame in told if frame["type"] == "restart"] == [len(wrong)]
    (event,) = RunEvent.all_tenants.filter(run_id=run.pk, kind="error")
    assert (event.step, event.payload["discard"]) == ("conversation/model-1", len(wrong))
    assert event.payload["error_type"] == "VALIDATION_ERROR" and "schema" in event.payload["error"]


def test_two_answers_that_do_not_fit_are_both_taken_back(front: Front, strict: str, gateway: ModelServer) -> None:
    told = turn(front, strict, gateway.play(stream("One, ", "I think."), stream('{"a": "x"}')))
    assert told[-1]["type"] == "error" and shown(told) == "" and run_of(told).status == "failed"
    assert [frame["discard"] for frame in told if frame["type"] == "restart"] == [13, 10]


def test_a_client_that_comes_back_from_any_place_shows_what_is_recorded(
    front: Front, strict: str, gateway: ModelServer
) -> None:
    told = turn(front, strict, gateway.play(stream("I think ", "it is ", "one."), stream('{"a": ', "1}")))
    run_id, places = told[0]["runId"], [place for place, frame in enumerate(told) if "id" in frame]
    assert len(places) >= 3
    for place in places:
        rest = again(front, strict, run_id, told[place]["id"])
        assert shown(told[: place + 1] + rest) == '{"a": 1}' and rest[-1]["type"] == "complete", told[place]
    seq = RunEvent.all_tenants.get(run_id=run_id, kind="llm_call", step="conversation/model-1").seq
    part = [{"type": "text", "content": "I think"}]
    rest = again(front, strict, run_id, f"{seq - 1}-7-{zlib.crc32(b'I think')}")
    assert shown(part + rest) == '{"a": 1}'


def test_the_first_answer_is_not_sent_again_while_the_second_is_waited_for(
    front: Front, acme: "Tenant", strict: str
) -> None:
    user = User.objects.get()
    text = '<<say: I think it is one.>> <<then: {"a": 1}>> <<delay: 500>>'
    run = start_turn(NewTurn(acme.pk, user.pk, "agent.helper", text, None, {}, {}))[0]
    stream = OpenStream(front, f"{URL}?run_id={run.pk}", strict)
    told = []
    while not told or told[-1]["type"] != "restart":
        told.append(stream.read() or {})
    assert shown(told) == ""
    rest = again(front, strict, str(run.pk), told[-1]["id"])
    assert shown(told + rest) == '{"a": 1}' and "restart" not in [frame["type"] for frame in rest]
    assert shown(told + stream.rest()) == '{"a": 1}'
