"""A tool call as a model writes it, and the reading of its arguments: a JSON object, or nothing that is acted upon."""

from dataclasses import dataclass

from agents.excerpts import summary
from config.errors import Invalid
from config.values.foreign_json import MAX_DEPTH, clean_text, read_json
from config.values.json_types import JsonObject

MAX_EXCERPT = 200  # characters of unreadable arguments that an error repeats


@dataclass(frozen=True)
class FunctionCall:
    """A tool call. `arguments` is the text as the model wrote it; `is_cut`: the token limit (or a filter) ended
    the answer, so that a part of it may be missing.
    """

    id: str
    name: str
    arguments: str
    is_cut: bool = False


def parse_arguments(text: str | None) -> JsonObject:
    """The object that the text is; {} for a blank text and for null, as models write for tools that take nothing.

    Raises Invalid for anything else: what would have to be repaired may mean another call.
    """
    if not (text or "").strip():
        return {}
    try:
        value = read_json(text or "")
    except ValueError as fault:
        raise _unreadable(text, f"they are not valid JSON ({fault})") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _unreadable(text, "they are JSON, but no object")
    if value == {"text": clean_text(text or "")}:
        raise _unreadable(text, f"they are nested deeper than {MAX_DEPTH} levels")
    return value


def _unreadable(text: str | None, reason: str) -> Invalid:
    start = summary(text, MAX_EXCERPT)
    return Invalid(
        {"input": [f"The arguments cannot be read: {reason}. Send one JSON object, whole. They begin: {start}"]}
    )
