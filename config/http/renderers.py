"""Answers are JSON, whatever the Accept header says: no 406, no ?format=."""

import json
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.utils.encoders import JSONEncoder

OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC | orjson.OPT_NON_STR_KEYS


class JSONRenderer(BaseRenderer):
    """JSON through orjson: times in UTC with Z, UUIDs as text, decimals as numbers."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        """The bytes of the answer; none for an answer without a body."""
        return b"" if data is None else dumps(data)


def dumps(data: Any) -> bytes:
    """The JSON of anything that a view answers with."""
    try:
        return orjson.dumps(data, default=_plain, option=OPTIONS)
    except TypeError:  # a whole number beyond 64 bits, half a surrogate pair: the standard library writes them
        return json.dumps(data, cls=JSONEncoder, ensure_ascii=True).encode()


def _plain(value: Any) -> Any:
    """What orjson does not know, in terms that it knows."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, Iterable) and not isinstance(value, str):
        return list(value)
    return str(value)


class AlwaysJSON(BaseContentNegotiation):
    """Takes the view's first parser that fits and its first renderer, always."""

    def select_parser(self, request: Request, parsers: list[Any]) -> Any:
        """The parser of the body's media type, or None (415)."""
        media_type = (request.content_type or "").split(";", 1)[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(self, request: Request, renderers: list[Any], format_suffix: str | None = None) -> Any:
        """The first renderer: an API view has one, and the pages of the documentation have theirs."""
        return renderers[0], renderers[0].media_type
