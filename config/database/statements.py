"""Statements as PostgreSQL's extended protocol takes them: $1, $2 … for the values, a name to keep the plan under."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

Values = Mapping[str, Any] | Sequence[Any]
PLACEHOLDER = re.compile(r"%\((\w+)\)s|%s|%%")


class Statement(NamedTuple):
    """`keys[0]` is the key, or the position, of the value of $1."""

    text: bytes
    keys: tuple[str | int, ...]
    name: bytes

    def arguments(self, values: Values) -> list[Any]:
        """The values of $1, $2 … in this order."""
        return [values[key] for key in self.keys]  # type: ignore[index]


@lru_cache(maxsize=1024)
def parse(text: str) -> Statement:
    """The statement of a text with `%s` or `%(name)s` for each value, and `%%` for a per cent sign.

    Its name comes from its text: were the session shared after all, none could be taken for another.
    """
    keys: list[str | int] = []

    def number(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        key = match[1] or len(keys)
        if key not in keys:
            keys.append(key)
        return f"${keys.index(key) + 1}"

    query = PLACEHOLDER.sub(number, text).encode()
    return Statement(query, tuple(keys), b"regente_" + blake2b(query, digest_size=16).hexdigest().encode())
