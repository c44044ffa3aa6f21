"""A value for a typed column: as COPY takes it, and only when it comes back from the column exactly as it was."""

from collections.abc import Iterator
from typing import Any

from config.values.foreign_json import write_json
from memory.datastore.column_types import NOUNS, fits_double, quote_value, text_reason, type_of_text, type_of_value

MAX_DEPTH = 64


class Unfit(ValueError):
    """The value would not come back from the column as it is; the message says why."""


def column_value(value: Any, type: str, from_text: bool) -> Any:
    """The value for a column of this type, as COPY takes it; Unfit when it would not come back as it is."""
    if value is None or (from_text and value == "" and type != "text"):
        return None
    if isinstance(value, str):
        _check_characters(value)
        return _of_text(value, type)
    return _of_value(value, type)


def _of_text(text: str, type: str) -> Any:
    if type == "text":
        return text
    if type == "jsonb":
        return write_json(text).decode()
    own = type_of_text(text)
    if own == "bigint" and type == "double precision" and fits_double(int(text)):
        return float(text)
    if own != type:
        raise Unfit(f"{quote_value(text)} {_misfit(text, own)}")
    return int(text) if own == "bigint" else float(text) if own == "double precision" else text


def _of_value(value: Any, type: str) -> Any:
    own = type_of_value(value)
    if type in ("jsonb", "text"):
        for text in _texts(value, 0):
            _check_characters(text)
        return write_json(value).decode()
    if own == "double precision" and type == "bigint" and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if own == "bigint" and type == "double precision" and fits_double(value):
        return float(value)
    if own != type:
        raise Unfit(f"{quote_value(value)} is {NOUNS[own]}")
    return value


def _texts(value: Any, depth: int) -> Iterator[str]:
    """All texts within a value, keys too."""
    if depth > MAX_DEPTH:
        raise Unfit(f"{quote_value(value)} is nested in more than {MAX_DEPTH} levels")
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _texts(inner, depth + 1)


def _check_characters(text: str) -> None:
    if "\0" in text:
        raise Unfit(f"{quote_value(text)} holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unfit(f"{quote_value(text)} holds half a character") from None


def _misfit(text: str, own: str) -> str:
    return text_reason(text) if own == "text" else f"is {NOUNS[own]}"
