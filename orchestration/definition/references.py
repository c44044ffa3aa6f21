"""Data references in a node's config: `$input.guest.name`, `$steps.<node_id>.a[0]`, `$context.x`, `$event.x`, `$item`.

A string that is one reference becomes the value with its type, null when the path leads nowhere. Inside a longer text a
reference becomes text: strings as they are, other values as JSON, nothing when the path leads nowhere. `$$input` stays
`$input`. What a reference brings in is data: it is never looked at for references again.
"""

import json
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

from config.errors import DomainError
from governance.conditions import MISSING, lookup, path_parts

SOURCES = ("input", "steps", "context", "event", "item")
NAMES = ("output", *SOURCES)
DEEPEST = 60
LONGEST_ID = 200
Path = tuple[str | int, ...]
Resolver = Callable[[dict[str, Any]], Any]

_REFERENCE = re.compile(rf"(\$?)\$({'|'.join(SOURCES)})(?![\w-])((?:\.[\w-]+|\[-?\d+\])*)")
_TAIL = re.compile(r"(?:\.[^.\[\]]+|\[-?\d+\])*")


class UnknownStep(DomainError):
    """A reference names a step that the workflow does not have."""

    code = "WORKFLOW_VALIDATION_ERROR"


def step_path(parts: Sequence[str | int], node_ids: Collection[str]) -> Path:
    """The path below `steps` with the node's id as its first part: the longest known id that the parts begin with."""
    for end in range(min(len(parts), LONGEST_ID), 0, -1):
        head = parts[:end]
        name = ".".join(map(str, head))
        if name in node_ids and (end == 1 or all(isinstance(part, str) for part in head)):
            return name, *parts[end:]
    named = ".".join(map(str, parts[:LONGEST_ID]))[:LONGEST_ID]
    raise UnknownStep(f"names the step {named!r}, but no node has that id")


def compile_value(value: Any, node_ids: Collection[str], depth: int = 0) -> Resolver | None:
    """A function that fills in the value's references, None when it has none; UnknownStep when one names no node."""
    if isinstance(value, str):
        return _compile_text(value, node_ids) if "$" in value else None
    if depth >= DEEPEST or not isinstance(value, dict | list):
        return None
    keys = list(value) if isinstance(value, dict) else range(len(value))
    moving = [(key, found) for key in keys if (found := compile_value(value[key], node_ids, depth + 1))]
    if not moving:
        return None
    return _fill(value, moving)


def _fill(whole: Any, moving: list[tuple[Any, Resolver]]) -> Resolver:
    """Copies the dict or list and replaces what has references; the rest is shared, not copied."""
    copy = dict if isinstance(whole, dict) else list

    def resolve(scope: dict[str, Any]) -> Any:
        filled = copy(whole)
        for key, part in moving:
            filled[key] = part(scope)
        return filled

    return resolve


def _compile_text(text: str, node_ids: Collection[str]) -> Resolver | None:
    parts = split_text(text, node_ids)
    if len(parts) > 1:
        return lambda scope: "".join(part if isinstance(part, str) else as_text(lookup(scope, part)) for part in parts)
    [whole] = parts
    if isinstance(whole, str):
        return None if whole == text else lambda scope: whole
    return lambda scope: None if (found := lookup(scope, whole)) is MISSING else found


def split_text(text: str, node_ids: Collection[str]) -> list[str | Path]:
    """The text cut at its references: strings that stay, paths that are filled in. One path alone is the whole text."""
    whole = _whole_path(text, node_ids)
    if whole is not None:
        return [whole]
    parts: list[str | Path] = []
    end = 0
    for match in _REFERENCE.finditer(text):
        parts.append(text[end : match.start()])
        parts.append(match[0][1:] if match[1] else _path(match[2], match[3], node_ids))
        end = match.end()
    parts.append(text[end:])
    return parts if any(isinstance(part, tuple) for part in parts) else ["".join(map(str, parts))]


def _whole_path(text: str, node_ids: Collection[str]) -> Path | None:
    """The path when the text is one reference and nothing else. Ids of nodes may hold any character."""
    match = _REFERENCE.fullmatch(text)
    if match:
        return None if match[1] else _path(match[2], match[3], node_ids)
    if not text.startswith("$steps."):
        return None
    rest = text.removeprefix("$steps.")
    ends = range(min(len(rest), LONGEST_ID), 0, -1)
    for cut in (at for at in ends if at == len(rest) or rest[at] in ".["):
        if rest[:cut] in node_ids and _TAIL.fullmatch(rest, cut):
            return "steps", rest[:cut], *path_parts(rest[cut:])
    return None


def _path(source: str, tail: str, node_ids: Collection[str]) -> Path:
    parts = path_parts(tail)
    return (source, *step_path(parts, node_ids)) if source == "steps" and parts else (source, *parts)


def as_text(value: Any) -> str:
    """A value inside a text: strings verbatim, nothing for what is missing or null, JSON for the rest."""
    if isinstance(value, str):
        return value
    return "" if value is MISSING or value is None else json.dumps(value, ensure_ascii=False)
