"""Foreign JSON is read once: what it holds that JSON, PostgreSQL or a replay would change has one form from then on."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.values.foreign_json import MAX_DEPTH, NotJson, clean_value, read_json, write_json

DIGITS = "123456789012345678901234567890"


@pytest.mark.parametrize(
    "text,value",
    [
        (f"[{DIGITS}, -{DIGITS}]", [DIGITS, f"-{DIGITS}"]),
        ("1" * 5000, "1" * 5000),
        ("[18446744073709551615, 18446744073709551616]", [2**64 - 1, "18446744073709551616"]),
        ("[-9223372036854775808, -9223372036854775809]", [-(2**63), "-9223372036854775809"]),
        ("[7615917337495251231, 0.1, -0, 1e2]", [7615917337495251231, 0.1, 0, 100.0]),
        ("12345678901234567.89", "12345678901234567.89"),
        ("[NaN, Infinity, -Infinity, 1e999, -1E999]", [None] * 5),
        (r'"\ud83d\ude00 \ud83d \ude00"', "😀 \ufffd \ufffd"),
        (r'{"a\u0000": "b\u0000c", "\ud83d": 1}', {"a\ufffd": "b\ufffdc", "\ufffd": 1}),
        ('{"a": 1, "b": 2, "a": 3}', {"a": 3, "b": 2}),
        ('\ufeff{"a": "ç"}', {"a": "ç"}),
        ("null", None),
    ],
)
def test_what_others_write_has_one_form(text: str, value: Any) -> None:
    read = read_json(text)
    assert (read, type(read)) == (value, type(value))
    assert orjson.loads(orjson.dumps(read)) == read == clean_value(read)


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_bytes_are_read_in_the_form_of_unicode_that_they_are_in(codec: str) -> None:
    assert read_json('{"a": "São 😀"}'.encode(codec)) == {"a": "São 😀"}


def test_a_byte_that_is_no_utf_8_spoils_one_character_alone() -> None:
    assert read_json(b'{"a": "S\xe3o"}') == {"a": "S\ufffdo"}


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 300, 900, 5_000, 100_000])
@pytest.mark.parametrize("begin,end", [("[", "]"), ('{"a":', "}")])
def test_what_is_nested_too_deep_stays_text(levels: int, begin: str, end: str) -> None:
    text = begin * levels + "1" + end * levels
    assert read_json(text) == {"text": text}


def test_what_may_be_so_deep_is_a_value() -> None:
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert json.dumps(read_json(text)) == text


@pytest.mark.parametrize("text", ["", " ", "{", "plain", "{'a': 1}", "[1,]", b"", b"\xff\xfe", "nul"])
def test_what_is_no_json_is_told(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        read_json(text)


@pytest.mark.parametrize("value", [object(), {(1, 2): 3}, print, [{"a": object()}], [10**5000]])
def test_what_has_no_form_in_json_is_told(value: Any) -> None:
    with pytest.raises(NotJson):
        clean_value(value)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()), st.lists))
@settings(max_examples=300, deadline=None)
def test_what_is_clean_stays_as_it_is(value: Any) -> None:
    clean = clean_value(value)
    assert clean_value(clean) == clean == orjson.loads(orjson.dumps(clean))


def test_numbers_of_any_size_are_written() -> None:
    assert write_json({"b": 10**30, "a": "ç"}, sort_keys=True) == '{{"a":"ç","b":{}}}'.format("1" + "0" * 30).encode()
