"""The arguments of a call: one JSON object, or an error that says what is wrong; they are never repaired."""

import pytest

from agents.llm.function_calls import FunctionCall, parse_arguments
from config.errors import Invalid

THIRTY_DIGITS = "123456789012345678901234567890"


@pytest.mark.parametrize("text", ["", "  \n", "null", " null ", "{}", None])
def test_nothing_is_the_arguments_of_a_tool_that_takes_none(text: str | None) -> None:
    assert parse_arguments(text) == {}


@pytest.mark.parametrize(
    "text",
    ['{"q": "a', '{"q": "a"}""', '{"q": "a"}{"q": "b"}', "[1]", '"{}"', "3", "true", "{'q': 1}", '{"q": 1,}', "q=1",
     '```json\n{"q": 1}\n```', '{"q": ' + "[" * 300 + "]" * 300 + "}", '{"q": ' + "[" * 99_999],
)  # fmt: skip
def test_what_is_no_json_object_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(Invalid, match=r"input: The arguments cannot be read: .*Send one JSON object"):
        parse_arguments(text)


def test_an_error_repeats_no_secret_and_little_of_the_text() -> None:
    with pytest.raises(Invalid) as refused:
        parse_arguments('{"key": "sk-planted-secret-1", "more": "' + "x" * 5_000)
    assert "planted" not in refused.value.message and len(refused.value.message) < 500


@pytest.mark.parametrize(
    "text, value",
    [
        (THIRTY_DIGITS, THIRTY_DIGITS),
        (r'"half \ud83d pair"', "half \ufffd pair"),
        (r'"\ud83d\ude00"', "😀"),
        (r'"a\u0000b"', "a\ufffdb"),
        ("NaN", None),
        ("[-Infinity, 1e999, 0.1]", [None, None, 0.1]),
        (r'{"n\ud83d": 1}', {"n\ufffd": 1}),
    ],
)
def test_values_that_no_record_can_hold_are_made_plain(text: str, value: object) -> None:
    assert parse_arguments(f'{{"v": {text}}}') == {"v": value}


def test_a_call_recorded_before_it_could_be_cut_is_read_back() -> None:
    assert FunctionCall(id="a", name="b", arguments="{}").is_cut is False
