"""Bodies are checked before anything trusts them: size, media type, and JSON that every part downstream can store."""

import json
from typing import IO, Any

import orjson
from django.conf import settings
from django.http import UnreadablePostError
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, MultiPartParser

from config.errors import PayloadTooLarge

DEPTH = 64
INT_MIN, INT_MAX = -(2**63), 2**63 - 1


class StrictJSONParser(BaseParser):
    """JSON of at most the view's `body_limit` bytes (settings.API_BODY_LIMIT), or 400 or 413 naming what is wrong."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        """The body's value."""
        return loads(_read(stream, parser_context or {}))


class LimitedMultiPartParser(MultiPartParser):
    """Form data with files, of at most the view's `body_limit` bytes (settings.FILE_BODY_LIMIT)."""

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        """The form's fields and files."""
        limit = getattr((parser_context or {}).get("view"), "body_limit", settings.FILE_BODY_LIMIT)
        _check_length(parser_context or {}, limit)
        return super().parse(stream, media_type, parser_context)


def _check_length(context: dict[str, Any], limit: int) -> None:
    """Refuse by the Content-Length alone, before anything is read."""
    try:
        length = int(context["request"].META.get("CONTENT_LENGTH") or 0)
    except (KeyError, ValueError):
        length = 0
    if length > limit:
        raise PayloadTooLarge(f"The body has {length} bytes; send at most {limit}.", limit=limit)


def _read(stream: IO[bytes], context: dict[str, Any]) -> bytes:
    """The whole body, when it is within the limit."""
    limit = getattr(context.get("view"), "body_limit", settings.API_BODY_LIMIT)
    _check_length(context, limit)
    try:
        raw = stream.read(limit + 1)
    except UnreadablePostError:
        raise ParseError("The body ended early; send it again.") from None
    if len(raw) > limit:
        raise PayloadTooLarge(f"The body is longer than {limit} bytes; send less at a time.", limit=limit)
    return raw


def loads(raw: bytes) -> Any:
    """The value of a JSON text that holds nothing we cannot keep: no NUL, no huge numbers, no deep nesting."""
    try:
        value = orjson.loads(raw)  # gives up at a depth of 1,024 by itself, without recursion of ours
    except orjson.JSONDecodeError as fault:
        raise ParseError(
            f"The body is no valid JSON: {_remedy(fault.msg)} (line {fault.lineno}, column {fault.colno})."
        ) from None
    if _may_hold_long_integers(value):
        json.loads(raw, parse_int=_int64)  # orjson makes a float of a whole number beyond 64 bits; name it instead
    return value


def _remedy(complaint: str) -> str:
    """What to do about a complaint of the JSON reader."""
    if "depth" in complaint:
        return f"nest at most {DEPTH} levels deep"
    if "infinity" in complaint:
        return "a number is too large; send a smaller one, or a text"
    if "surrogate" in complaint:
        return "text must be UTF-8 without half surrogate pairs"
    return f"{complaint}; check quotes, commas and brackets, and write NaN or Infinity as null"


def _may_hold_long_integers(value: Any) -> bool:
    """Check every value, level by level; True when a float is so large that it may have been a whole number."""
    large, level = False, [value]
    for depth in range(DEPTH + 1):
        below: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is str:
                if "\x00" in item:
                    raise ParseError("A text holds a NUL character (\\u0000); remove it.")
            elif kind is int:
                _int64(item)
            elif kind is float:
                large = large or not INT_MIN <= item <= INT_MAX
            elif kind is dict or kind is list:
                if depth == DEPTH:
                    raise ParseError(f"The body is nested too deeply; nest at most {DEPTH} levels.")
                below.extend(item)
                if kind is dict:
                    below.extend(item.values())
        if not below:
            break
        level = below
    return large


def _int64(number: str | int) -> int:
    """The whole number, when it fits in 64 bits."""
    value = int(number)
    if not INT_MIN <= value <= INT_MAX:
        raise ParseError("A whole number is beyond 64 bits; send a smaller one, or a text.")
    return value
