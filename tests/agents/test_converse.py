"""A turn with an agent: streamed while it speaks, remembered, ended by the client alone, resumed where it was."""

import json
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from agents.conversations.turn_frames import place_of
from agents.models import Conversation
from memory.models import MemoryEntry
from orchestration.models import Run
from tests.agents.far_end import FarEnd
from tests.factories import make_agent, make_tenant, make_user, token_of
from tests.front import Front, frames
from tests.model_server import ModelServer
from tests.orchestration.running import ended, until

if TYPE_CHECKING:
    from accounts.models import Tenant, User

pytestmark = pytest.mark.usefixtures("gateway", "engine")
URL = "/api/v1/agents/agent.helper/conversation"


@pytest.fixture
def user(acme: "Tenant") -> "User":
    """A plain member."""
    return make_user(acme)


@pytest.fixture
def token(user: "User") -> str:
    """Its access token."""
    return token_of(user)


def turn(front: Front, token: str, message: str, **body: Any) -> list[dict[str, Any]]:
    """All frames of a turn."""
    return frames(front.post(URL, token, {"message": message, **body}))


def said(told: list[dict[str, Any]]) -> str:
    """The text of the frames."""
    return "".join(frame["content"] for frame in told if frame["type"] == "text")


def test_a_turn_connects_speaks_and_completes(front: Front, acme: "Tenant", token: str) -> None:
    make_agent(acme)
    told = turn(front, token, "Hello <<say: Hello there, how can I help?>> <<pace: 5>>")
    assert [frame["type"] for frame in told][0 :: len(told) - 1] == ["connected", "complete"]
    assert said(told) == told[-1]["result"] == "Hello there, how can I help?"
    assert len([frame for frame in told if frame["type"] == "text"]) > 1, "it came at the end in one piece"
    run = Run.all_tenants.get(pk=told[0]["runId"])
    assert (run.kind, run.status, run.mode, run.subject_id) == ("conversation", "completed", "draft", "agent.helper")


def test_tools_are_told_as_they_are_called(front: Front, acme: "Tenant", token: str, far_end: FarEnd) -> None:
    make_agent(acme, allowed_tools=["ticketing.list_open", "http.request"])
    far_end.answer = lambda _: (500, {}, b"broken")
    told = turn(front, token, f'<<call: http_request {{"url": "{far_end.url}"}}>> <<say: done>>')
    (call,) = [frame["toolCall"] for frame in told if frame["type"] == "tool_call"]
    assert (call["toolId"], call["args"]) == ("http.request", {"url": f"{far_end.url}/"})
    assert call["result"]["status"] == 500 and told[-1]["result"] == "done"
    told = turn(front, token, '<<call*2: ticketing_list_open {"tickets": "none"}>> <<say: failed>>')
    calls = [frame["toolCall"] for frame in told if frame["type"] == "tool_call"]
    assert [call["result"]["error_type"] for call in calls] == ["VALIDATION_ERROR"] * 2
    assert told[-1]["result"] == "failed"


def test_a_conversation_goes_on_and_belongs_to_its_user(front: Front, acme: "Tenant", token: str) -> None:
    make_agent(acme)
    first = turn(front, token, "Remember <<say: the word is teal>>", conversation_id="mine")
    assert first[0]["conversation_id"] == "mine"
    assert turn(front, token, "What was it?", conversation_id="mine")[-1]["result"] == "the word is teal"
    assert turn(front, token, "What was it?")[-1]["result"] == "ok"
    other = token_of(make_user(acme))
    assert turn(front, other, "What was it?", conversation_id="mine")[-1]["result"] == "ok"
    body = front.request("GET", "/api/v1/conversations/mine", token).json()
    assert [(row["number"], row["answer"]) for row in body["turns"]] == [
        (1, "the word is teal"),
        (2, "the word is teal"),
    ]
    assert len(front.request("GET", "/api/v1/conversations", token).json()["data"]) == 2
    assert front.request("DELETE", "/api/v1/conversations/mine", token).status_code == 200
    assert front.request("GET", "/api/v1/conversations/mine", token).status_code == 404
    assert front.request("GET", "/api/v1/conversations/mine", other).status_code == 200


def test_nobody_else_sees_a_turn_by_its_run_or_its_key(front: Front, acme: "Tenant", token: str) -> None:
    make_agent(acme)
    key = {"Idempotency-Key": "once"}
    run_id = frames(front.post(URL, token, {"message": "<<say: hi>>"}, headers=key))[0]["runId"]
    assert front.request("GET", f"/api/v1/runs/{run_id}", token).status_code == 200
    other = token_of(make_user(acme, "admin"))
    for path in (run_id, f"{run_id}/steps", f"{run_id}/events", f"{run_id}/stream"):
        assert front.request("GET", f"/api/v1/runs/{path}", other).status_code == 404
    assert front.post(f"/api/v1/runs/{run_id}/cancel", other, {}).status_code == 404
    assert front.request("GET", "/api/v1/runs", other, params={"kind": "conversation"}).json()["data"] == []
    assert front.post(URL, other, {"message": "<<say: hi>>"}, headers=key).status_code == 409


def test_what_is_kept_for_one_end_user_is_not_told_to_another(
    front: Front, acme: "Tenant", token: str, gateway: ModelServer
) -> None:
    make_agent(acme)
    store = {"content": "My favourite colour is teal", "owner_type": "user"}
    front.post("/api/v1/tools/memory.store/execute", token, store, headers={"X-User-ID": "guest-1"})
    for guest, told in (("guest-2", False), ("guest-1", True)):
        body = {"message": "What is my favourite colour?"}
        frames(front.post(URL, token, body, headers={"X-User-ID": guest}))
        assert ("teal" in json.dumps(gateway.requests[-1]["messages"])) == told


def test_nobody_writes_down_what_another_or_an_agent_is_to_recall(
    front: Front, acme: "Tenant", token: str, user: "User", gateway: ModelServer
) -> None:
    make_agent(acme)
    url, rogue = "/api/v1/tools/memory.store/execute", token_of(make_user(acme))
    store = {"content": "My favourite colour is teal", "owner_type": "user", "visibility": "org"}
    front.post(url, rogue, store, headers={"X-User-ID": str(user.pk)})
    told = front.post(url, rogue, store | {"owner_type": "agent", "owner_id": "agent.helper"}).json()
    assert told["status"] == "failed" and "owner_type" in told["error_message"]
    turn(front, token, "What is my favourite colour?")
    assert "teal" not in json.dumps(gateway.requests[-1]["messages"])


def test_the_same_key_is_the_same_turn(front: Front, acme: "Tenant", token: str, gateway: ModelServer) -> None:
    make_agent(acme)
    key = {"Idempotency-Key": "once"}
    first, again = (front.post(URL, token, {"message": "<<say: hi>>"}, headers=key) for _ in range(2))
    assert frames(first)[-1] == frames(again)[-1] and said(frames(again)) == "hi"
    assert again.headers["Idempotency-Replayed"] == "true" and len(gateway.requests) == 1
    assert front.post(URL, token, {"message": "another"}, headers=key).status_code == 409
    assert Conversation.all_tenants.count() == 1


def test_one_turn_at_a_time(front: Front, acme: "Tenant", token: str, user: "User") -> None:
    make_agent(acme)
    start(acme, user, "<<delay: 60000>>")
    answer = front.post(URL, token, {"message": "And?", "conversation_id": "mine"})
    assert answer.status_code == 409 and "cancel" in answer.json()["message"]


def start(acme: "Tenant", user: "User", message: str) -> Run:
    """A turn of the conversation `mine` that nobody listens to."""
    from agents.conversations.program import NewTurn, start_turn

    return start_turn(NewTurn(acme.pk, user.pk, "agent.helper", message, "mine", {}, {}))[0]


def test_a_client_that_left_reads_the_rest(front: Front, acme: "Tenant", token: str, user: "User") -> None:
    make_agent(acme)
    run = ended(start(acme, user, "<<say: one two three>>"))
    whole = frames(front.request("GET", URL, token, params={"run_id": str(run.pk)}))
    assert said(whole) == whole[-1]["result"] == "one two three"
    seq = int(next(frame["id"] for frame in whole if frame["type"] == "text"))
    half, other_half = f"{seq - 1}-4-{zlib.crc32(b'one ')}", f"{seq - 1}-4-{zlib.crc32(b'uno ')}"
    places = {half: "two three", other_half: "one two three", str(seq): "", whole[-1]["id"]: "", "999": "one two three"}
    for seen, left in (places | {"nonsense": "one two three"}).items():
        rest = frames(front.request("GET", URL, token, params={"run_id": str(run.pk)}, headers={"Last-Event-ID": seen}))
        assert said(rest) == left and rest[-1]["type"] == "complete"
        assert ("restart" in [frame["type"] for frame in rest]) == (seen == other_half)
    other = token_of(make_user(acme))
    assert front.request("GET", URL, other, params={"run_id": str(run.pk)}).status_code == 400


def test_a_cancel_ends_the_stream(front: Front, acme: "Tenant", token: str, user: "User") -> None:
    make_agent(acme)
    run = start(acme, user, "<<delay: 60000>>")
    until(lambda: Run.all_tenants.filter(pk=run.pk, status="running").exists())
    assert front.post(f"/api/v1/runs/{run.pk}/cancel", token, {}).status_code == 200
    told = frames(front.request("GET", URL, token, params={"run_id": str(run.pk)}))
    assert (told[-1]["type"], told[-1]["errorCode"]) == ("error", "CANCELLED")


def test_a_model_that_breaks_off_is_asked_again_and_the_text_is_taken_back(
    front: Front, acme: "Tenant", token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agents.loop import model_calls
    from orchestration.program.retry import Retry

    monkeypatch.setattr(model_calls, "MODEL_RETRY", Retry(3, 0.1))
    make_agent(acme)
    told = turn(front, token, "Go <<say: one two three four>> <<break: 3>> <<pace: 20>>")
    text = ""
    for frame in told:
        text = text + frame["content"] if frame["type"] == "text" else "" if frame["type"] == "restart" else text
    assert text == told[-1]["result"] == "one two three four"
    assert [frame["type"] for frame in told].count("restart") == 1


def test_a_model_that_fails_ends_the_stream_with_its_error(front: Front, acme: "Tenant", token: str) -> None:
    make_agent(acme)
    told = turn(front, token, "Hello <<status: 400>>")
    assert told[-1]["type"] == "error" and "status 400" in told[-1]["error"]
    assert Run.all_tenants.get().status == "failed"


def test_an_agent_recalls_what_has_to_do_with_the_question_and_remembers_long_answers(
    front: Front, acme: "Tenant", token: str, gateway: ModelServer
) -> None:
    make_agent(acme)
    store = {"content": "My favourite colour is teal", "owner_type": "user"}
    front.post("/api/v1/tools/memory.store/execute", token, store)
    answer = "Teal, as you told me some time ago, when we talked about the walls of the lobby."
    told = turn(front, token, f"What is my favourite colour? <<say: {answer}>>")
    assert told[-1]["result"] == answer
    systems = [m["content"] for m in gateway.requests[-1]["messages"] if m["role"] == "system"]
    assert any("My favourite colour is teal" in text for text in systems)
    kept = MemoryEntry.all_tenants.get(owner_type="run")
    assert (kept.content, kept.owner_id) == (answer, told[0]["runId"])
    turn(front, token_of(make_user(acme)), "What is my favourite colour?")
    assert "teal" not in json.dumps(gateway.requests[-1]["messages"])


@pytest.mark.parametrize(
    "body,field",
    [
        ({}, "message"),
        ({"message": ["x"]}, "message"),
        ({"message": ""}, "message"),
        ({"message": "x", "context": "y"}, "context"),
        ({"message": "x", "context": {"mode": "yolo"}}, "context.mode"),
        ({"message": "x", "conversation_id": "a b"}, "conversation_id"),
        ({"message": "x", "llm_calls_limit": -1}, "llm_calls_limit"),
    ],
)
def test_a_wrong_turn_is_refused_by_its_field(front: Front, acme: "Tenant", token: str, body: Any, field: str) -> None:
    make_agent(acme)
    answer = front.post(URL, token, body)
    assert answer.status_code == 400 and field in answer.json()["context"]["errors"], answer.text
    assert not Run.all_tenants.exists() and not Conversation.all_tenants.exists()


def test_an_inactive_agent_and_another_tenants_are_not_talked_to(front: Front, acme: "Tenant", token: str) -> None:
    make_agent(acme, is_active=False)
    assert front.post(URL, token, {"message": "hi"}).json()["errorCode"] == "AGENT_INACTIVE"
    stranger = token_of(make_user(make_tenant()))
    assert front.post(URL, stranger, {"message": "hi"}).json()["errorCode"] == "AGENT_NOT_FOUND"
    assert not Run.all_tenants.exists()


def test_a_budget_holds_in_a_turn(front: Front, acme: "Tenant", token: str) -> None:
    make_agent(acme, allowed_tools=["ticketing.list_open"])
    told = turn(front, token, "<<call*9: ticketing_list_open {}>>", llm_calls_limit=2)
    assert told[-1]["type"] == "error" and told[-1]["errorCode"] == "BUDGET_EXCEEDED"
    assert len([frame for frame in told if frame["type"] == "tool_call"]) == 2


@pytest.mark.parametrize(
    "text,place",
    [("7", (7, 0, 0)), ("7-120-99", (7, 120, 99)), ("", (0, 0, 0)), ("x-1", (0, 0, 0)), ("0--9", (0, 0, 0))],
)
def test_a_place_is_read_from_an_id(text: str, place: tuple[int, int, int]) -> None:
    assert place_of(text) == place
