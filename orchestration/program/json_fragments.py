"""Values on their way into jsonb: serialised once, and never such that PostgreSQL refuses them."""

from typing import Any

import orjson

from config.values.foreign_json import NotJson, clean_value, write_json

MAX_JSON_BYTES = 16 * 1024 * 1024  # of one value: the journal writes many at once, in the memory of one process
# How doubles are written that the record would give back otherwise: with an exponent, or as the negative zero. Where it
# is but part of a text it does no harm, and costs time.
UNSTABLE_NUMBERS = (b"e+", b"-0.0")


class NotRecordable(NotJson):
    """A step answered something that cannot be recorded: no JSON, nested too deep, or larger than 16 MiB."""


def fragment(value: Any) -> orjson.Fragment:
    """The value as ready JSON for a row that orjson writes."""
    return orjson.Fragment(encode(value))


def encode_for_replay(value: Any) -> tuple[bytes, Any]:
    """(the value's JSON for the record, the value as a replay reads it): who goes on now uses what a replay would."""
    text = encode(value)
    if any(part in text for part in UNSTABLE_NUMBERS):
        text = _encode_cleaned(value)
    return text, orjson.loads(text)


def encode(value: Any) -> bytes:
    """The value as JSON that jsonb takes (config/values/foreign_json.py says what becomes of the rest)."""
    try:
        text = orjson.dumps(value)
        if b"\\u0000" in text:
            text = _encode_cleaned(value)
    except TypeError:  # also orjson's own error: odd keys, half characters, numbers beyond 64 bits, deep nesting
        text = _encode_cleaned(value)
    if len(text) > MAX_JSON_BYTES:
        raise NotRecordable(f"The value has {len(text):,} bytes of JSON; at most {MAX_JSON_BYTES:,} can be recorded.")
    return text


def _encode_cleaned(value: Any) -> bytes:
    try:
        return write_json(clean_value(value))
    except (NotJson, TypeError, RecursionError) as fault:
        raise NotRecordable(f"The value cannot be recorded as JSON: {fault}.") from None
