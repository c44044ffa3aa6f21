"""What is sent to providers is valid, whatever the model wrote before."""

import json
from typing import Any

import pytest

from agents.llm.function_calls import FunctionCall
from agents.llm.messages import MAX_RESULT, assistant, sendable, system, tool_exchange, user, with_unique_ids


def exchange(*calls: FunctionCall, text: str = "", results: list[Any] | None = None) -> list[dict[str, Any]]:
    """The messages of these calls."""
    unique = with_unique_ids(list(calls), [])
    return tool_exchange(text, unique, results or [{"n": number} for number in range(len(calls))])


@pytest.mark.parametrize("ids", [("a", "a"), ("", ""), ("a", "a", ""), ("call_1", "", "call_0"), (" ", "x")])
def test_each_call_has_an_id_of_its_own_and_one_result(ids: tuple[str, ...]) -> None:
    said, *results = exchange(*[FunctionCall(id, "t", "{}") for id in ids])
    sent = [call["id"] for call in said["tool_calls"]]
    assert len(set(sent)) == len(ids) and all(id.strip() for id in sent)
    assert [message["tool_call_id"] for message in results] == sent
    assert [json.loads(message["content"])["n"] for message in results] == list(range(len(ids)))


def test_an_id_of_an_earlier_turn_is_not_used_again() -> None:
    first = exchange(FunctionCall("call_0", "t", "{}"), FunctionCall("", "t", "{}"))
    again = with_unique_ids([FunctionCall("call_0", "t", "{}"), FunctionCall("", "t", "{}")], first)
    assert len({call["id"] for call in first[0]["tool_calls"]} | {call.id for call in again}) == 4


def test_ids_that_differ_are_left_as_the_provider_wrote_them() -> None:
    ids = ["functions.get:0", "call_x__thought__" + "Q" * 300]
    assert [call.id for call in with_unique_ids([FunctionCall(id, "t", "{}") for id in ids], [])] == ids


@pytest.mark.parametrize("text", ['{"q": "a', '{"q": "a"}""', "[1]", "3", "", "null", "nothing", '{"v": NaN}',
                                  r'{"v": "\ud83d"}', '{"v": "\ud83d"}'])  # fmt: skip
def test_arguments_are_always_a_json_object(text: str) -> None:
    (call,) = exchange(FunctionCall("a", "t", text))[0]["tool_calls"]

    def refuse(name: str) -> None:
        raise AssertionError(name)

    assert isinstance(json.loads(call["function"]["arguments"], parse_constant=refuse), dict)
    call["function"]["arguments"].encode()


def test_arguments_that_are_an_object_are_sent_as_they_were_written() -> None:
    text = '{ "id":123456789012345678901234567890,\n"f":1.10 }'
    assert exchange(FunctionCall("a", "t", text))[0]["tool_calls"][0]["function"]["arguments"] == text


@pytest.mark.parametrize(
    "name, sent", [("", "_"), ("no such tool!", "no_such_tool_"), ("x" * 99, "x" * 64), ("á", "_")]
)
def test_a_name_that_no_provider_takes_is_written_in_legal_letters(name: str, sent: str) -> None:
    assert exchange(FunctionCall("a", name, "{}"))[0]["tool_calls"][0]["function"]["name"] == sent


@pytest.mark.parametrize("text", ["", " \n\t", None])
def test_an_empty_answer_leaves_no_message(text: str | None) -> None:
    assert assistant(text) == []
    assert exchange(FunctionCall("a", "t", "{}"), text=text or "")[0]["content"] is None


def test_all_text_is_in_whole_characters() -> None:
    messages = [user("\ud83d\ude00 \ud83d"), system("a\x00"), *assistant("\ude00")]
    messages += exchange(FunctionCall("a", "t", "{}"), text="\ud83d!", results=["\ude00"])
    assert json.dumps(messages, ensure_ascii=False).encode()
    assert [message["content"] for message in messages[:4]] == ["😀 \ufffd", "a\ufffd", "\ufffd", "\ufffd!"]
    assert messages[-1]["content"] == '"\ufffd"'


def test_a_result_keeps_each_digit_and_is_cut_when_long() -> None:
    number = 123456789012345678901234567890
    assert json.loads(exchange(FunctionCall("a", "t", ""), results=[{"v": number}])[1]["content"]) == {"v": number}
    assert len(exchange(FunctionCall("a", "t", ""), results=["x" * 99_999])[1]["content"]) == MAX_RESULT


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\u3000"])
def test_an_empty_text_of_a_user_says_so(text: str) -> None:
    (message,) = sendable([user(text)])
    assert message["content"].strip() and message["role"] == "user"
    asked = sendable([user(text), user("And now?")])
    assert len(asked) == 1 and asked[0]["content"].endswith("And now?")
