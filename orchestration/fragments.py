"""Values on their way into jsonb: serialised once, and never such that PostgreSQL refuses them."""

import json
from typing import Any

import orjson

LARGEST = 16 * 1024 * 1024


class NotRecordable(ValueError):
    """A step answered something that cannot be recorded: no JSON, nested too deep, or larger than 16 MiB."""


def fragment(value: Any) -> orjson.Fragment:
    """The value as ready JSON for a row that orjson writes."""
    return orjson.Fragment(recordable(value))


def recordable(value: Any) -> bytes:
    """The value as JSON. NUL and lone surrogates, which jsonb does not take, become U+FFFD."""
    try:
        text = orjson.dumps(value)
        if b"\\u0000" in text:
            text = orjson.dumps(_cleaned(value))
    except TypeError:  # also orjson's own error: odd keys, surrogates, integers beyond 64 bit
        text = _slowly(value)
    if len(text) > LARGEST:
        raise NotRecordable(f"The value has {len(text):,} bytes of JSON; at most {LARGEST:,} can be recorded.")
    return text


def _slowly(value: Any) -> bytes:
    try:
        return json.dumps(_cleaned(value), allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as fault:
        raise NotRecordable(f"The value cannot be recorded as JSON: {fault}") from None


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_cleaned(str(key)): _cleaned(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(inner) for inner in value]
    return value
