"""One table of what providers send, in the chunks of a stream or whole, and of the answer that it makes."""

import json
from typing import Any

import pytest

from agents.llm.providers.answer_parts import ProviderError, Unreadable
from agents.llm.providers.assembly import Answer, Assembler, whole_answer


def call(arguments: Any = "", *, id: Any = None, name: Any = None, index: Any = None) -> dict[str, Any]:
    """A delta with one piece of a tool call; what is None is not there."""
    function = {"name": name, "arguments": arguments}
    piece = {"index": index, "id": id, "function": {key: value for key, value in function.items() if value is not None}}
    return {"tool_calls": [{key: value for key, value in piece.items() if value is not None}]}


def chunk(delta: Any, finish: Any = None, **more: Any) -> dict[str, Any]:
    """A chunk of one choice."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def streamed(*deltas: Any, finish: Any = "stop") -> Answer:
    """The answer that these deltas make."""
    assembler = Assembler()
    pieces = [assembler.take(chunk(delta)) for delta in deltas] + [assembler.take(chunk({}, finish))]
    answer = assembler.finish()
    assert "".join(pieces) == answer.text or answer.text.startswith("".join(pieces))
    return answer


def calls_of(*deltas: Any, finish: str = "tool_calls") -> list[tuple[str, str, str]]:
    """(id, name, arguments) of the calls that these deltas make."""
    return [(one.id, one.name, one.arguments) for one in streamed(*deltas, finish=finish).calls]


ONE, TWO = ("call_a", "f", '{"q": 1}'), ("call_b", "f", '{"q": 2}')


@pytest.mark.parametrize(
    "deltas, calls",
    [
        pytest.param(
            [call('{"q": ', id="call_a", name="f", index=0), call("1}", index=0),
             call('{"q": 2}', id="call_b", name="f", index=1)], [ONE, TWO], id="by the book"),
        pytest.param(
            [call('{"q": 1}', id="call_a", name="f", index=0), call('{"q": 2}', id="call_b", name="f", index=0)],
            [ONE, TWO], id="one index for two"),
        pytest.param(
            [call('{"q": ', id="call_a", name="f", index=0), call("1}", index=0),
             call('{"q": ', id="call_b", name="f", index=0), call("2}", index=0)], [ONE, TWO],
            id="one index for two, in pieces"),
        pytest.param(
            [call('{"q": 1}', id="call_a", name="f"), call('{"q": 2}', id="call_b", name="f")], [ONE, TWO],
            id="no index"),
        pytest.param(
            [call('{"q": ', id="call_a", name="f"), call("1}"), call('{"q": ', id="call_b", name="f"), call("2}")],
            [ONE, TWO], id="no index, in pieces"),
        pytest.param(
            [{"tool_calls": call('{"q": 1}', id="call_a", name="f")["tool_calls"]
                           + call('{"q": 2}', id="call_b", name="f")["tool_calls"]}], [ONE, TWO], id="two in a delta"),
        pytest.param(
            [call('{"q": ', id="call_a", name="f", index=0), call('{"q": ', id="call_b", name="f", index=1),
             call("1}", index=0), call("2}", index=1)], [ONE, TWO], id="pieces in turn"),
        pytest.param(
            [call('{"q": ', id="call_a", name="f", index=0), call("1}", id="call_a", name="f", index=0)], [ONE],
            id="id and name in each piece"),
        pytest.param(
            [call("", name="f", id="call_a", index=0), call('{"q": 1}', name="f", index=0)], [ONE],
            id="name in each piece"),
        pytest.param(
            [call('{"q": ', id="call_a", name="f", index=0), call("1}", id="", name="", index=0)], [ONE],
            id="blank id and name in later pieces"),
        pytest.param(
            [call('{"q": ', id="call_a", name="f", index=0), call("1}", id="call_x", index=0)], [ONE],
            id="another id in each piece"),
        pytest.param(
            [call("", name="f", index=0), call('{"q": 1}', id="call_a", index=0)], [ONE], id="the id comes late"),
        pytest.param(
            [call('{"q": 1}', id="call_a", name="f", index=3), call('{"q": 2}', id="call_b", name="f", index=7)],
            [ONE, TWO], id="gaps between the indexes"),
        pytest.param(
            [call('{"q": 1}', name="f"), call('{"q": 2}', name="f")],
            [("call_0", "f", '{"q": 1}'), ("call_1", "f", '{"q": 2}')], id="neither id nor index"),
        pytest.param(
            [call("", name="f", index=0), call("", name="g", index=0)],
            [("call_0", "f", "{}"), ("call_1", "g", "{}")], id="another name is another call"),
        pytest.param(
            [call('{"q": 1}', id="same", name="f", index=0), call('{"q": 2}', id="same", name="f", index=1)],
            [("same", "f", '{"q": 1}'), ("same", "f", '{"q": 2}')], id="one id for two indexes"),
        pytest.param(
            [call('{"q": 1}', id="same", name="f", index=0), call('{"q": 1}', id="same", name="f", index=0)],
            [("same", "f", '{"q": 1}{"q": 1}')], id="the same again is not another call"),
        pytest.param([call({"q": 1}, id="call_a", name="f")], [("call_a", "f", '{"q":1}')], id="an object"),
        pytest.param([call(None, id="call_a", name="f")], [("call_a", "f", "{}")], id="no arguments"),
        pytest.param(
            [{"function_call": {"name": "f", "arguments": '{"q": '}}, {"function_call": {"arguments": "1}"}}],
            [("call_0", "f", '{"q": 1}')], id="function_call of old"),
        pytest.param(
            [call('{"q": "\ud83d', id="call_a", name="f", index=0), call('\ude00"}', index=0)],
            [("call_a", "f", '{"q": "😀"}')], id="halves of a character"),
        pytest.param([call('{"q": "\ud83d"}', id="call_a", name="f")], [("call_a", "f", '{"q": "\ufffd"}')],
                     id="a lone half"),
        pytest.param([{"tool_calls": None}, {"tool_calls": [None]}, {"tool_calls": []}], [], id="null"),
    ],
)  # fmt: skip
def test_pieces_make_calls(deltas: list[Any], calls: list[tuple[str, str, str]]) -> None:
    assert calls_of(*deltas) == calls


THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "hmm"}]}


@pytest.mark.parametrize(
    "deltas, text",
    [
        pytest.param([{"content": "a"}, {"content": None}, {}, {"content": ""}, {"content": "b"}], "ab", id="null"),
        pytest.param([None, {"content": "a"}, None], "a", id="null deltas"),
        pytest.param([{"content": [THOUGHT]}, {"content": [{"type": "text", "text": "42"}]}], "42", id="parts"),
        pytest.param([{"content": ["a", {"text": "b"}, {"type": "image_url", "image_url": "x"}, None, 3]}], "ab",
                     id="odd parts"),
        pytest.param([{"content": [{"type": "text", "text": {"value": "a"}}, {"type": "output_text", "text": "b"}]}],
                     "ab", id="parts of other contracts"),
        pytest.param([{"content": None, "refusal": "I will "}, {"refusal": "not."}], "I will not.", id="refusal"),
        pytest.param([{"content": [{"type": "refusal", "refusal": "No."}]}], "No.", id="refusal part"),
        pytest.param([{"reasoning_content": "hmm", "content": "a"}, {"reasoning": "hmm"}], "a", id="reasoning"),
        pytest.param([{"content": "\ud83d"}, {"content": "\ude00"}], "😀", id="halves"),
        pytest.param([{"content": "\ud83d"}, {"content": None}, {"content": "\ude00!"}], "😀!", id="halves apart"),
        pytest.param([{"content": "a\ud83d"}, {"content": "b"}], "a\ufffdb", id="a lone first half"),
        pytest.param([{"content": "\ude00"}, {"content": "a\x00"}], "\ufffda\ufffd", id="a lone second half and NUL"),
        pytest.param([{"content": "a\ud83d"}], "a\ufffd", id="a half at the end"),
        pytest.param([{"content": "\ud83d"}, {"content": "\ud83d\ude00"}], "\ufffd😀", id="a half and a pair"),
    ],
)  # fmt: skip
def test_deltas_make_a_text(deltas: list[Any], text: str) -> None:
    assert streamed(*deltas).text == text


@pytest.mark.parametrize(
    "reason, told",
    [("stop", "stop"), ("length", "length"), ("MAX_TOKENS", "length"), ("max_tokens", "length"), ("eos", "stop"),
     ("end_turn", "stop"), ("content_filter", "content_filter"), ("SAFETY", "content_filter"),
     ("tool_use", "tool_calls"), ("function_call", "tool_calls"), ("something_new", "something_new")],
)  # fmt: skip
def test_ends_have_one_word_each(reason: str, told: str) -> None:
    assert streamed({"content": "a"}, finish=reason).finish_reason == told


@pytest.mark.parametrize("reason", ["length", "max_tokens", "content_filter"])
def test_a_call_in_an_answer_that_was_cut_is_marked(reason: str) -> None:
    deltas = call('{"q": 1}', id="a", name="f", index=0), call('{"q"', id="b", name="f", index=1)
    assert [one.is_cut for one in streamed(*deltas, finish=reason).calls] == [True, True]
    assert [one.is_cut for one in streamed(*deltas, finish="tool_calls").calls] == [False, False]


@pytest.mark.parametrize("deltas", [[], [{"content": "The first half of "}], [call('{"q": 1}', id="a", name="f")]])
def test_a_stream_without_an_end_is_no_answer(deltas: list[Any]) -> None:
    assembler = Assembler()
    for delta in deltas:
        assembler.take(chunk(delta))
    with pytest.raises(Unreadable, match="broke off"):
        assembler.finish()


def test_an_end_mark_is_an_end() -> None:
    assembler = Assembler()
    assembler.take(chunk({"content": "All there is."}))
    assert assembler.finish(is_complete=True) == Answer("All there is.", finish_reason="stop")


def test_an_end_mark_alone_is_no_answer() -> None:
    with pytest.raises(Unreadable, match="no choice"):
        Assembler().finish(is_complete=True)


@pytest.mark.parametrize(
    "chunks, tokens",
    [
        ([{"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7}}], (11, 7, 0)),
        ([{"usage": {"prompt_tokens": 11, "completion_tokens": 7}}, {"choices": None, "usage": None}], (11, 7, 0)),
        ([chunk({}, usage={"prompt_tokens": 1}), chunk({}, usage={"prompt_tokens": 11, "completion_tokens": 7})],
         (11, 7, 0)),
        ([{"usage": {"prompt_tokens": 11, "prompt_tokens_details": {"cached_tokens": 5}}}], (11, 0, 5)),
        ([{"usage": {"prompt_tokens": "11", "completion_tokens": -1, "prompt_tokens_details": []}}], (0, 0, 0)),
        ([{"usage": []}, {"choices": [None]}], (0, 0, 0)),
    ],
)  # fmt: skip
def test_usage_comes_in_chunks_of_any_form(chunks: list[Any], tokens: tuple[int, int, int]) -> None:
    assembler = Assembler()
    for one in [chunk({"content": "a"}), chunk({}, "stop"), *chunks]:
        assembler.take(one)
    answer = assembler.finish()
    assert (answer.prompt_tokens, answer.completion_tokens, answer.cached_tokens) == tokens and answer.text == "a"


@pytest.mark.parametrize(
    "odd",
    [[], "text", 3, None, {"choices": "x"}, {"choices": ["x"]}, chunk("x"), chunk({"content": 42}),
     chunk({"content": {"answer": 42}}), chunk({"tool_calls": {}}), chunk({"tool_calls": ["x"]}),
     chunk({"tool_calls": [{"function": "f"}]}), chunk(["x"])],
)  # fmt: skip
def test_what_has_no_form_of_an_answer_is_refused_with_a_sentence(odd: Any) -> None:
    with pytest.raises(Unreadable, match=r"^(a part of it|its [\w ]+) is "):
        Assembler().take(odd)


@pytest.mark.parametrize(
    "error, status, told",
    [({"message": "slow down", "code": 429}, 429, "slow down"), ({"message": "no", "code": "400"}, 400, "no"),
     ("all is lost", None, "all is lost"), ({"code": "server_error"}, None, "server_error"),
     ({"message": None, "code": 7}, None, "code")],
)  # fmt: skip
def test_an_error_in_the_place_of_an_answer_is_one(error: Any, status: int | None, told: str) -> None:
    with pytest.raises(ProviderError, match=told) as failed:
        Assembler().take({"error": error, "choices": [{"delta": {"content": "a"}}]})
    assert failed.value.status == status
    with pytest.raises(ProviderError, match="ended the answer with an error"):
        Assembler().take(chunk({}, "error"))


def whole(message: Any, finish: Any = "stop") -> Answer:
    """The answer of a body with this message."""
    return whole_answer({"choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": None})


def test_a_whole_answer_is_read_alike() -> None:
    parts = [THOUGHT, {"type": "text", "text": "The answer is 42."}]
    assert whole({"content": parts}).text == "The answer is 42."
    assert whole({"content": None, "refusal": "No."}).text == "No."
    assert whole({"content": "\ud83d\ude00\ud83d"}).text == "😀\ufffd"
    assert whole({"content": "a"}, None).finish_reason == "stop"
    assert whole(None, "content_filter") == Answer("", finish_reason="content_filter")


@pytest.mark.parametrize("id", ["call_0", "", None])
def test_each_call_of_a_whole_answer_is_one_of_its_own(id: str | None) -> None:
    made = [
        {"id": id, "type": "function", "function": {"name": "f", "arguments": json.dumps({"q": n})}} for n in (1, 2)
    ]
    assert [one.arguments for one in whole({"content": None, "tool_calls": made}).calls] == ['{"q": 1}', '{"q": 2}']


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": None}, {"choices": [{}]}, {"detail": "not found"}])
def test_a_body_without_a_choice_is_no_answer(body: Any) -> None:
    with pytest.raises(Unreadable, match="no choice"):
        whole_answer(body)
