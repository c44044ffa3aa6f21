"""What a model sends over HTTP, by the gateway's way and by LiteLLM's, and what the caller is told of it."""

import asyncio
import json
from typing import Any

import pytest

from agents.errors import AgentExecutionError, ModelUnavailable
from agents.llm import model_choice
from agents.llm.chat_model import ModelProfile, ModelReply, ModelRequest
from agents.llm.providers.gateway_model import GatewayModel
from agents.llm.providers.litellm_model import LiteLLMModel
from agents.llm.providers.priced_model import PricedModel
from tests.model_replies import Reply, message, stream
from tests.model_server import ModelServer

INNER_LIFE = ("Traceback", "site-packages", ".py", "litellm", "pydantic")


def by_gateway(url: str, name: str = "gpt-4o-mini") -> PricedModel:
    """The way of the operator's gateway."""
    return GatewayModel("openai", name, url, "sk-test")


def by_litellm(url: str, name: str = "gpt-4o-mini") -> PricedModel:
    """The way of all other providers."""
    return LiteLLMModel("openai", name, f"openai/{name}", "sk-test", url)


WAYS = pytest.mark.parametrize("way", [by_gateway, by_litellm])


def ask(
    model: PricedModel, mark: str, *, streams: bool = True, profile: ModelProfile | None = None
) -> tuple[ModelReply, str]:
    """The reply, and the text that was heard before it."""
    heard: list[str] = []
    messages = [{"role": "user", "content": mark}]
    request = ModelRequest("a", profile or ModelProfile(), messages, on_text=heard.append if streams else None)

    async def once() -> ModelReply:
        try:
            return await model.complete(request)
        finally:
            await model_choice.close()

    return asyncio.run(once()), "".join(heard)


def told(model: PricedModel, mark: str, **more: Any) -> str:
    """The sentence of the fault that comes instead of a reply."""
    with pytest.raises((ModelUnavailable, AgentExecutionError)) as fault:
        ask(model, mark, **more)
    sentence = str(fault.value)
    assert not [word for word in INNER_LIFE if word in sentence] and len(sentence) < 700
    return sentence


@WAYS
@pytest.mark.parametrize("breaks", [False, True], ids=["body whole", "connection broken"])
def test_a_stream_that_ends_in_its_middle_is_no_answer(gateway: ModelServer, way: Any, breaks: bool) -> None:
    mark = gateway.play(stream("The first half of ", "a sentence", finish=None, done=False, breaks=breaks))
    with pytest.raises(ModelUnavailable):
        ask(way(gateway.url), mark)


@WAYS
@pytest.mark.parametrize("delta", [{"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f"}}]}, {}])
def test_calls_and_silence_that_end_in_the_middle_are_no_answers_either(
    gateway: ModelServer, way: Any, delta: Any
) -> None:
    with pytest.raises(ModelUnavailable):
        ask(way(gateway.url), gateway.play(stream(delta, finish=None, done=False)))


@WAYS
def test_a_finish_reason_is_an_end_and_so_is_an_end_mark(gateway: ModelServer, way: Any) -> None:
    for reply in (stream("All ", "there is.", done=False), stream("All ", "there is.", finish=None)):
        answer, heard = ask(way(gateway.url), gateway.play(reply))
        assert (answer.text, heard, answer.finish_reason) == ("All there is.", "All there is.", "stop")


def test_a_connection_that_breaks_after_the_finish_reason_breaks_nothing(gateway: ModelServer) -> None:
    mark = gateway.play(stream("All there is.", done=False, breaks=True))
    assert ask(by_gateway(gateway.url), mark)[0].text == "All there is."


@WAYS
def test_two_calls_of_one_index_are_two(gateway: ModelServer, way: Any) -> None:
    function = {"name": "f", "arguments": '{"q": 1}'}
    calls = [{"index": 0, "id": id, "type": "function", "function": function} for id in "ab"]
    answer, _ = ask(
        way(gateway.url), gateway.play(stream(*[{"tool_calls": [one]} for one in calls], finish="tool_calls"))
    )
    assert [(one.id, one.name, one.arguments) for one in answer.tool_calls] == [(id, "f", '{"q": 1}') for id in "ab"]


@WAYS
def test_halves_of_a_character_are_heard_as_they_are_recorded(gateway: ModelServer, way: Any) -> None:
    answer, heard = ask(way(gateway.url), gateway.play(stream("smile ", "\ud83d", "\ude00", " and \ud83d", "!")))
    assert heard == answer.text == "smile 😀 and \ufffd!"


@pytest.mark.parametrize("streams", [True, False])
def test_the_models_thoughts_are_no_text(gateway: ModelServer, streams: bool) -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hmm"}]}, {"type": "text", "text": "It is 42."}]
    reply = stream({"content": parts[:1]}, {"content": parts[1:]}) if streams else message(parts)
    assert ask(by_gateway(gateway.url), gateway.play(reply), streams=streams)[0].text == "It is 42."


def test_a_text_may_hold_the_end_mark_and_repeat_itself(gateway: ModelServer) -> None:
    words = ["Say [DONE], ", *["again and again, "] * 150, "data: [DONE]"]
    answer, heard = ask(by_gateway(gateway.url), gateway.play(stream(*words)))
    assert answer.text == heard == "".join(words)


def test_a_call_that_the_token_limit_cut_is_marked(gateway: ModelServer) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"q": "the first of"}'}}
    whole = message(None, "length", tool_calls=[call])
    for streams, reply in ((False, whole), (True, stream({"tool_calls": [call]}, finish="length"))):
        answer, _ = ask(by_gateway(gateway.url), gateway.play(reply), streams=streams)
        assert answer.finish_reason == "length" and [one.is_cut for one in answer.tool_calls] == [True]


def line(*chunks: Any, separator: str = "\n\n", head: str = "data: ") -> bytes:
    """A body of these data lines."""
    return separator.join(
        f"{head}{chunk if isinstance(chunk, str) else json.dumps(chunk)}" for chunk in chunks
    ).encode()


FIRST = {"choices": [{"index": 0, "delta": {"content": "one "}, "finish_reason": None}]}
LAST = {"choices": [{"index": 0, "delta": {"content": "two"}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    "reply",
    [
        Reply(line(FIRST, LAST, "[DONE]", separator="\r\n\r\n") + b"\r\n\r\n", "text/event-stream"),
        Reply(line(FIRST, LAST, "[DONE]", head="data:"), "text/event-stream; charset=utf-8"),
        Reply(line(FIRST, LAST, "[DONE]", separator="\n"), "text/event-stream"),
        Reply(line(FIRST, LAST, "[DONE]"), "text/plain"),
        Reply(b"\xef\xbb\xbf: comment\n\nevent: chunk\n" + line(FIRST, LAST), "text/event-stream"),
        Reply(b"data:\n\n" + line(FIRST, {"choices": []}, {"usage": None}, LAST), "text/event-stream"),
        Reply(line(json.dumps(FIRST, indent=1).replace("\n", "\ndata: "), LAST), "text/event-stream"),
        Reply(line(FIRST, LAST, "[DONE]", {"error": "after the end"}), "text/event-stream"),
        message("one two"),
    ],
    ids=["CRLF", "no blank", "one line end", "another type", "comment, event, BOM", "nothing in it", "data in lines",
         "more after the end", "no stream at all"],
)  # fmt: skip
def test_streams_of_any_form_are_read(gateway: ModelServer, reply: Reply) -> None:
    answer, heard = ask(by_gateway(gateway.url), gateway.play(reply))
    assert answer.text == heard == "one two" and answer.estimated


@WAYS
@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize(
    "body",
    [b"<html>bad gateway</html>", b"", b"null", b"[]", b'"text"', b"{}", b'{"choices": []}', b'{"choices": 3}',
     b'{"choices": [{"index": 0, "message": {"content": {"answer": 42}}, "finish_reason": "stop"}]}',
     b'{"choices": [{"index": 0, "message": {"content": 42}, "finish_reason": "stop"}]}',
     b'{"choices": [{"index": 0, "message": "text", "finish_reason": "stop"}]}',
     b'{"choices": [{"index": 0, "message": {"content": null, "tool_calls": ["x"]}, "finish_reason": "stop"}]}',
     b'{"error": {"message": "the engine is on fire", "code": 500}}', b'{"choices": ' + b"[" * 2_000, b"\xff\xfe\x00"],
)  # fmt: skip
def test_a_body_that_is_no_answer_is_told_in_a_sentence(
    gateway: ModelServer, way: Any, streams: bool, body: bytes
) -> None:
    if streams and body:
        body = b"data: " + body.replace(b'0, "message"', b'0, "delta"') + b"\n\n"
    mark = gateway.play(Reply(body, "text/event-stream" if streams else "application/json"))
    if way is by_litellm and streams and b'["x"]' in body:
        assert ask(way(gateway.url), mark)[0].text == ""  # LiteLLM drops the odd part
    else:
        assert "gpt-4o-mini" in told(way(gateway.url), mark, streams=streams)


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("code, kind", [(400, AgentExecutionError), (429, ModelUnavailable), ("x", ModelUnavailable)])
def test_an_error_under_status_200_is_an_error(gateway: ModelServer, streams: bool, code: Any, kind: type) -> None:
    error = {"error": {"message": "not with key sk-planted-secret-1", "code": code}}
    reply = Reply(line(FIRST, error), "text/event-stream") if streams else Reply(json.dumps(error).encode())
    with pytest.raises(kind, match="not with key") as fault:
        ask(by_gateway(gateway.url), gateway.play(reply), streams=streams)
    assert "planted" not in str(fault.value)


@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b'{"error": "no"}', b'{"error": {}}', b"[1]", b"\xff"])
def test_an_error_status_of_any_body_is_told_in_a_sentence(gateway: ModelServer, body: bytes) -> None:
    assert "status 403" in told(by_gateway(gateway.url), gateway.play(Reply(body, status=403)))
    assert "not available" in told(by_gateway(gateway.url), gateway.play(Reply(body, status=502)))


def test_a_redirect_is_not_followed_with_the_key(gateway: ModelServer) -> None:
    asked = len(gateway.requests)
    assert "status 307" in told(by_gateway(gateway.url), gateway.play(Reply(b"", status=307)))
    assert len(gateway.requests) == asked + 1


@WAYS
@pytest.mark.parametrize(
    "name, sent",
    [("gpt-4o", {"max_tokens": 50, "temperature": 0.3}), ("house-blend", {"max_tokens": 50, "temperature": 0.3}),
     ("o3-mini", {"max_completion_tokens": 50}), ("gpt-5", {"max_completion_tokens": 50})],
)  # fmt: skip
def test_a_request_has_the_parameters_that_its_model_takes(
    gateway: ModelServer, way: Any, name: str, sent: dict[str, Any]
) -> None:
    ask(way(gateway.url, name), "hi", streams=False, profile=ModelProfile(temperature=0.3, max_tokens=50))
    body = gateway.requests[-1]
    assert {key: body[key] for key in body if key not in ("model", "messages", "stream")} == sent
