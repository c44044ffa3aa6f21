"""One reading of JSON that others wrote: tools' servers, code, models, files. What is read is what is recorded.

Nothing is lost where it can be helped, and nothing is let in that JSON, PostgreSQL or a replay would change: whole
numbers beyond 64 bits become the text of their digits, half characters and NUL become U+FFFD, NaN and numbers beyond a
double become null, and what is nested too deep becomes `{"text": <its JSON>}`. Of equal keys the last one counts.
"""

import codecs
import dataclasses
import json
import re
from collections.abc import Callable, Mapping, Set
from datetime import date, time
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any
from uuid import UUID

import orjson

LARGE = re.compile(r"-?[0-9]{16,5000}(\.[0-9]{1,5000})?")
HALF = re.compile("[\ud800-\udfff\0]")  # half a character, or NUL
INT_MIN, INT_MAX = -(2**63), 2**64 - 1  # the whole numbers that orjson writes and reads as such
MAX_DEPTH = 100  # levels of an answer as it enters
MAX_VALUE_DEPTH = 200  # of any value: answers stand in answers; orjson writes 253
MAX_TEXT_DEPTH = 500  # of what can still be written as a text
EXACT = 2**53  # beyond it a double does not hold each whole number
EXPONENT_FROM = 1e16  # from here on a double is written with an exponent, which jsonb writes out


class NotJson(ValueError):
    """A value that has no form in JSON."""


class _TooDeep(Exception):
    pass


def read_json(source: bytes | str) -> Any:
    """The value of a JSON text in UTF-8, or as its byte order mark says; ValueError when it is none."""
    text = source if isinstance(source, str) else decode_json_text(source)
    try:
        return _clean(parse_json(text), MAX_DEPTH)
    except (RecursionError, _TooDeep):
        return {"text": clean_text(text)}


def parse_json(text: str) -> Any:
    """The text's value, each number kept, not yet cleaned; RecursionError from some 900 levels on."""
    return json.loads(
        text.removeprefix("\ufeff"), parse_int=_whole, parse_float=_fraction, parse_constant=lambda _: None
    )


def decode_json_text(raw: bytes) -> str:
    """The text of JSON bytes: UTF-8, UTF-16 or UTF-32, as their beginning shows; what is wrong in it is U+FFFD."""
    return raw.decode(json.detect_encoding(raw), "replace")


def clean_value(value: Any) -> Any:
    """The value as JSON has it, and as it is read back from the record; NotJson when it has no such form."""
    try:
        return _clean(value, MAX_VALUE_DEPTH)
    except _TooDeep:
        pass
    try:
        return {"text": json.dumps(_clean(value, MAX_TEXT_DEPTH), ensure_ascii=False, separators=(",", ":"))}
    except (_TooDeep, RecursionError):
        raise NotJson(f"it is nested deeper than {MAX_TEXT_DEPTH} levels, or holds itself") from None


def clean_text(text: str) -> str:
    """The text with halves of characters joined where they follow each other; lone ones and NUL are U+FFFD."""
    if not HALF.search(text):
        return str(text)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\0", "\ufffd")


def write_json(value: Any, sort_keys: bool = False, default: Callable[[Any], Any] | None = None) -> bytes:
    """The value's JSON; whole numbers of any size keep their digits."""
    option = orjson.OPT_NON_STR_KEYS | (orjson.OPT_SORT_KEYS if sort_keys else 0)
    try:
        return orjson.dumps(value, default=default, option=option)
    except TypeError:  # also a number beyond 64 bits, half a character, deep nesting
        text = json.dumps(value, default=default, sort_keys=sort_keys, ensure_ascii=False, separators=(",", ":"))
        return clean_text(text).encode()


def read_number(text: str) -> int | float | str | None:
    """The number that the text writes, as JSON's would be read."""
    return _whole(text) if text.lstrip("-").isdigit() else _fraction(text)


def large_number(text: str) -> Decimal | None:
    """The number that the text stands for, when it is one that is kept as text for its many digits."""
    return Decimal(text) if LARGE.fullmatch(text) and read_number(text) == text else None


def _whole(digits: str) -> int | str:
    """The number, or its digits when it has more than 64 bits."""
    if len(digits) > 20:  # also more than Python converts
        return digits
    number = int(digits)
    return number if INT_MIN <= number <= INT_MAX else digits


def _fraction(text: str) -> float | str | None:
    """The number, null when it is beyond a double, its text when a double would change digits before the point."""
    number = float(text)
    if not isfinite(number):
        return None
    plain = text.isascii() and "e" not in text and "E" not in text
    return text if plain and abs(number) >= EXACT and Decimal(text) != Decimal(number) else number


def _clean(value: Any, levels: int) -> Any:
    kind = type(value)
    if kind is str:
        return clean_text(value)
    if kind is bool or value is None:
        return value
    if kind is int:
        return value if INT_MIN <= value <= INT_MAX else _digits(value)
    if kind is float:
        return _double(value)
    if kind is dict or kind is list:
        if levels == 0:
            raise _TooDeep
        if kind is list:
            return [_clean(item, levels - 1) for item in value]
        return {_key(key): _clean(item, levels - 1) for key, item in value.items()}
    return _clean(_plain(value), levels)


def _key(key: Any) -> str:
    """An object's key as JSON has it: null, true and numbers as their texts."""
    if isinstance(key, str):
        return clean_text(key)
    plain = _clean(key, 1)
    if isinstance(plain, list | dict):
        raise NotJson(f"an object's key is a {type(key).__name__}")
    return plain if isinstance(plain, str) else orjson.dumps(plain).decode()


def _digits(number: int) -> str:
    try:
        return str(number)
    except ValueError:  # more digits than Python writes
        raise NotJson("a whole number has too many digits") from None


def _double(number: float) -> float | int | None:
    """As the record gives it back: no NaN, no infinity, no negative zero; large whole ones without an exponent."""
    if not isfinite(number):
        return None
    if number == 0:
        return 0.0
    if abs(number) < EXPONENT_FROM or not INT_MIN <= number <= INT_MAX:
        return number
    return int(Decimal(repr(number)))


def _plain(value: Any) -> Any:
    """One level of what Python has beside JSON, in terms nearer to it."""
    if isinstance(value, Enum):
        return value.value
    for kind in (str, int, float):  # subclasses of them
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple | Set):
        return list(value)
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, orjson.Fragment):
        return orjson.loads(orjson.dumps(value))
    if isinstance(value, bytes | bytearray | memoryview):
        return _bytes(bytes(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise NotJson(f"a value of the type {type(value).__name__} has no form in JSON")


def _decimal(number: Decimal) -> Any:
    """A number when that says the same, else its text."""
    if not number.is_finite():
        return None
    if number == number.to_integral_value():
        return int(number) if number.adjusted() < 20 else str(number)
    double = float(number)
    return double if Decimal(repr(double)) == number else str(number)


def _bytes(raw: bytes) -> str:
    """Their text when they are UTF-8, else base64."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return codecs.encode(raw, "base64").decode().replace("\n", "")
