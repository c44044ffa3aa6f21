"""Texts as the numbers, booleans, nulls, objects and lists that they stand for, digit by digit, or not at all."""

import json
import re
from collections.abc import Collection
from decimal import Decimal
from typing import Any

from config.values.foreign_json import INT_MAX, INT_MIN, clean_text, read_json

NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
WHOLE = re.compile(r"[+-]?[0-9]+")
MAX_DIGITS = 300  # a double has up to 309 before its point
BOOLEANS = {"true": True, "false": False}


def is_number(value: Any) -> bool:
    """Whether JSON has this as a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_of(kind: Any, value: Any) -> bool:
    """Whether the value is of this type of JSON Schema."""
    if kind == "integer":
        return is_number(value) and (isinstance(value, int) or value.is_integer())
    if kind == "number":
        return is_number(value)
    types = {"string": str, "boolean": bool, "null": type(None), "object": dict, "array": list}
    return isinstance(value, types.get(kind, ()))


def value_of(kinds: Collection[Any], value: Any) -> Any:
    """What the value stands for in one of these types; the same object where it is of one, or stands for none.

    A text stays a text where a text is allowed. A double that is a whole number becomes one where no other number is
    allowed.
    """
    if any(is_of(kind, value) for kind in kinds):
        return _whole(value) if isinstance(value, float) and "number" not in kinds else value
    if isinstance(value, str):
        return _from_text(kinds, value)
    if is_number(value) and "string" in kinds:
        return json.dumps(value)
    return value


def member_of(members: list[Any], value: Any) -> Any:
    """The one of these constants that the value is or stands for, else the value."""
    if any(_same(member, value) for member in members):
        return value
    for member in members:
        read = value_of([_kind(member)], value)
        if read is not value and _same(member, read):
            return read
    return value


def too_many_digits(value: Any) -> bool:
    """Whether this is the text of a number that no number of ours holds without a change."""
    return isinstance(value, str) and NUMBER.fullmatch(value.strip()) is not None and number_of(value.strip()) is None


def number_of(text: str) -> int | float | None:
    """The number with exactly these digits; None when the text is no number, or no int and no double has them."""
    if len(text) > MAX_DIGITS or not NUMBER.fullmatch(text):
        return None
    if WHOLE.fullmatch(text):
        return int(text)
    exact, double = Decimal(text), float(text)
    if Decimal(repr(double)) == exact:
        return double
    return _integer(exact)


def _integer(exact: Decimal) -> int | None:
    return int(exact) if exact.adjusted() < MAX_DIGITS and exact == exact.to_integral_value() else None


def _whole(number: float) -> int | float:
    """A larger one than 64 bits hold is left as it is: most of its digits were never sent."""
    return int(number) if INT_MIN <= number <= INT_MAX else number


def _from_text(kinds: Collection[Any], original: str) -> Any:
    text = original.strip()
    if "integer" in kinds or "number" in kinds:
        number = number_of(text)
        if isinstance(number, float) and "number" not in kinds:
            number = _integer(Decimal(text))
        if number is not None:
            return number
    if "boolean" in kinds and text.lower() in BOOLEANS:
        return BOOLEANS[text.lower()]
    if "null" in kinds and text.lower() in ("null", ""):
        return None
    for kind, bracket in (("object", "{"), ("array", "[")):
        if kind in kinds and text.startswith(bracket):
            return _from_json(text, original)
    return original


def _from_json(text: str, original: str) -> Any:
    """The object or list; the text when it is no JSON, or nested too deeply for any field."""
    try:
        value = read_json(text)
    except ValueError:
        return original
    return original if value == {"text": clean_text(text)} else value


def _kind(value: Any) -> str:
    kinds = ("boolean", "null", "string", "object", "array", "integer", "number")
    return next(kind for kind in kinds if is_of(kind, value))


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON has it: true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
