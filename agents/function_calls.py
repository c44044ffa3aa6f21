"""A tool call as a model writes it, and the reading of its arguments: a JSON object, or nothing that is acted upon."""

import json
import math
from dataclasses import dataclass
from typing import Any

from agents.excerpts import summary
from config.characters import whole
from config.errors import Invalid

MAX_EXCERPT = 200  # characters of unreadable arguments that an error repeats
MAX_DEPTH = 200


@dataclass(frozen=True)
class FunctionCall:
    """A tool call; `arguments` is the text as the model wrote it, `is_cut` says that the token limit ended the answer,
    so that the call may lack a part of them.
    """

    id: str
    name: str
    arguments: str
    is_cut: bool = False


def parse_arguments(text: str | None) -> dict[str, Any]:
    """The object that the text is; {} for a blank text and for null, as models write for tools that take nothing.

    Raises Invalid for anything else: what would have to be repaired may mean another call.
    """
    if not (text or "").strip():
        return {}
    try:
        value = json.loads(whole(text or ""), parse_constant=_no_number, parse_float=_finite)
        value = _plain(value)
    except RecursionError:
        raise _unreadable(text, f"they are nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as fault:
        raise _unreadable(text, f"they are not valid JSON ({fault})") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _unreadable(text, "they are JSON, but no object")
    return value


def _unreadable(text: str | None, reason: str) -> Invalid:
    start = summary(text, MAX_EXCERPT)
    return Invalid(
        {"input": [f"The arguments cannot be read: {reason}. Send one JSON object, whole. They begin: {start}"]}
    )


def _no_number(name: str) -> None:
    """NaN and Infinity, which JSON has not, are null."""


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _plain(value: Any, depth: int = 0) -> Any:
    """The value with whole characters in each text and name."""
    if depth > MAX_DEPTH:
        raise RecursionError
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, dict):
        return {whole(name): _plain(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, depth + 1) for item in value]
    return value
