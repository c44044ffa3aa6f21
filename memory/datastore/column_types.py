"""The type of a column: a narrower one than text only when each value comes back from it exactly as it was.

"Comes back" is what a SELECT answers as JSON: `007`, `+5`, `1.10`, `5.0`, `1e3`, `yes`, `2026-01-31 10:00` would come
back as something else, and stay texts.
"""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from config.values.foreign_json import write_json
from memory.datastore.names import quote_text

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
MAX_WHOLE_DOUBLE = 10**15  # from here on PostgreSQL writes a double with an exponent
MAX_LOOKED_AT = 60  # characters of what may be meant as a number or a date
INTEGER = re.compile(r"-?[1-9][0-9]{0,18}|0")
DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]*[1-9]")
NUMERIC = re.compile(r"\s*[+-]?[0-9., ]*[0-9][.]?(?:[eE][+-]?[0-9]+)?\s*")  # what somebody may mean as a number
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{0,5}[1-9])?(\+00:00)?")
DAY_LIKE = re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}.*", re.DOTALL)
TOO_LONG = "is a whole number of more than 64 bits"
BOOLEANS = {"true": True, "false": False}
KINDS = {
    "bigint": "integer",
    "double precision": "number",
    "boolean": "boolean",
    "date": "date",
    "timestamp with time zone": "timestamp",
    "timestamptz": "timestamp",
    "timestamp without time zone": "timestamp",
    "timestamp": "timestamp",
    "jsonb": "json",
    "text": "text",
}
NOUNS = {
    "bigint": "a whole number of at most 64 bits",
    "double precision": "a number",
    "boolean": "true or false",
    "date": "a date",
    "timestamptz": "a timestamp in UTC",
    "timestamp": "a timestamp without a zone",
    "jsonb": "an object or a list",
    "text": "a text",
}


def type_of_text(text: str) -> str:
    """The type that this text comes back from exactly."""
    if not text or text[0] not in "-0123456789tf":
        return "text"
    if text in BOOLEANS:
        return "boolean"
    if INTEGER.fullmatch(text):
        return "bigint" if INT_MIN <= int(text) <= INT_MAX else "text"
    if DECIMAL.fullmatch(text):
        return "double precision" if repr(float(text)) == text else "text"
    if DATE.fullmatch(text):
        return "date" if _is_day(text) else "text"
    if stamp := TIMESTAMP.fullmatch(text):
        return ("timestamptz" if stamp[1] else "timestamp") if _is_moment(text) else "text"
    return "text"


def type_of_value(value: Any) -> str:
    """The type of a value of JSON; its texts are texts, whatever they look like."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "bigint" if INT_MIN <= value <= INT_MAX else "text"
    if isinstance(value, float):
        return "double precision"
    return "jsonb" if isinstance(value, dict | list) else "text"


class ColumnValues:
    """What the values of a column have been so far, and so which type they all come back from."""

    def __init__(self, from_text: bool) -> None:
        self.from_text = from_text
        self.first: dict[str, tuple[Any, int]] = {}  # type → the first value of it, and the number of its row
        self.too_large: tuple[Any, int] | None = None  # a whole number that a double does not give back

    def add(self, value: Any, number: int) -> None:
        """Add a value and the number of its row; a missing value is ignored."""
        if value is None or (self.from_text and value == ""):
            return
        type = type_of_text(value) if self.from_text else type_of_value(value)
        if type not in self.first:
            self.first[type] = (value, number)
        if type == "bigint" and self.too_large is None and not fits_double(int(value)):
            self.too_large = (value, number)

    def conclusion(self, at: Callable[[int], str]) -> tuple[str, str]:
        """(PostgreSQL's name of the type, why); `at`: how sentences name the place of a row."""
        types = set(self.first)
        if not types:
            return "text", "It has no values."
        if len(types) == 1 and types != {"text"}:
            (type,) = types
            return type, f"Each value is {NOUNS[type]}."
        if "jsonb" in types:
            return "jsonb", f"{self._example('jsonb', at)} is {NOUNS['jsonb']}."
        if types == {"bigint", "double precision"} and self.too_large is None:
            return "double precision", "Each value is a number."
        return "text", self._why_text(types, at)

    def _why_text(self, types: set[str], at: Callable[[int], str]) -> str:
        if types == {"text"}:
            value, _ = self.first["text"]
            reason = text_reason(value) if self.from_text else "is a text" if isinstance(value, str) else TOO_LONG
            return f"{self._example('text', at)} {reason}."
        if types == {"bigint", "double precision"} and self.too_large:
            value, number = self.too_large
            return f"{quote_value(value)} ({at(number)}) has more digits than a number with a fraction holds."
        examples = [f"{self._example(type, at)} is {NOUNS[type]}" for type in self.first]
        return f"{', '.join(examples[:3])}."

    def _example(self, type: str, at: Callable[[int], str]) -> str:
        value, number = self.first[type]
        return f"{quote_value(value)} ({at(number)})"


def text_reason(text: str) -> str:
    """Why a text has no narrower type."""
    if len(text) > MAX_LOOKED_AT:
        return "is a text"
    if NUMERIC.fullmatch(text):
        return "would not come back from a number as it is"
    if DAY_LIKE.fullmatch(text):
        return "would not come back from a date or a timestamp as it is"
    return "is a text"


def fits_double(number: int) -> bool:
    """Whether a column of doubles gives this whole number back, digit by digit."""
    return abs(number) < MAX_WHOLE_DOUBLE


def quote_value(value: Any) -> str:
    """The value as sentences name it."""
    return quote_text(value if isinstance(value, str) else write_json(value).decode(), 40)


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _is_moment(text: str) -> bool:
    try:
        return bool(datetime.fromisoformat(text))
    except ValueError:
        return False
