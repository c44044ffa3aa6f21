"""Values on their way into jsonb: serialised once, and never such that PostgreSQL refuses them."""

from typing import Any

import orjson

from config.values.foreign_json import NotJson, clean_value, write_json

LARGEST = 16 * 1024 * 1024
# How doubles are written that the record would give back otherwise: with an exponent, or as the negative zero. Where it
# is but part of a text it does no harm, and costs time.
CHANGES = (b"e+", b"-0.0")


class NotRecordable(NotJson):
    """A step answered something that cannot be recorded: no JSON, nested too deep, or larger than 16 MiB."""


def fragment(value: Any) -> orjson.Fragment:
    """The value as ready JSON for a row that orjson writes."""
    return orjson.Fragment(recordable(value))


def recorded(value: Any) -> tuple[bytes, Any]:
    """(the value's JSON for the record, the value as a replay reads it): who goes on now uses what a replay would."""
    text = recordable(value)
    if any(part in text for part in CHANGES):
        text = _cleaned(value)
    return text, orjson.loads(text)


def recordable(value: Any) -> bytes:
    """The value as JSON that jsonb takes (config/values/foreign_json.py says what becomes of the rest)."""
    try:
        text = orjson.dumps(value)
        if b"\\u0000" in text:
            text = _cleaned(value)
    except TypeError:  # also orjson's own error: odd keys, half characters, numbers beyond 64 bits, deep nesting
        text = _cleaned(value)
    if len(text) > LARGEST:
        raise NotRecordable(f"The value has {len(text):,} bytes of JSON; at most {LARGEST:,} can be recorded.")
    return text


def _cleaned(value: Any) -> bytes:
    try:
        return write_json(clean_value(value))
    except (NotJson, TypeError, RecursionError) as fault:
        raise NotRecordable(f"The value cannot be recorded as JSON: {fault}.") from None
