"""Data references in a node's config: `$input.guest.name`, `$steps.<node_id>.a[0]`, `$context.x`, `$event.x`, `$item`.

A name is letters of any script, digits and _, with hyphens inside; other names stand in brackets: `$input["a b"]`. A
string that is one reference becomes the value with its type, null when the path leads nowhere. Inside a longer text a
reference becomes text: strings as they are, other values as JSON, nothing when the path leads nowhere; what follows a
text or a number is no part of its path: `$input.year-$input.month.csv` is 2024-06.csv. `$$input` stays `$input`. What a
reference brings in is data: it is never looked at for references again.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from config.errors import DomainError
from governance.conditions import MISSING, lookup

SOURCES = ("input", "steps", "context", "event", "item")
NAMES = ("output", *SOURCES)
DEEPEST = 60
MAX_ID_LENGTH = 200
Path = tuple[str | int, ...]
Resolver = Callable[[dict[str, Any]], Any]

# Python's \w lacks the marks that letters of many scripts are written with, and the two joiners between them.
_MARKS = "".join(chr(code) for code in range(0x300, 0x3100) if unicodedata.category(chr(code))[0] == "M")
WORD = rf"[\w{_MARKS}\u200c\u200d]"
NAME = rf"{WORD}+(?:-+{WORD}+)*"
_SOURCE = re.compile(rf"(\$?)\$({'|'.join(SOURCES)})(?!-*{WORD})")
_PART = re.compile(rf"""\.(?P<name>{NAME})|\[(?P<index>-?\d{{1,9}})\]|\["(?P<one>[^"]*)"\]|\['(?P<two>[^']*)'\]""")
_NAME_GOES_ON = re.compile(rf"-*{WORD}")
_FIRST_NAME = re.compile(rf"\.({NAME})")


class UnknownStep(DomainError):
    """A reference names a step that the workflow does not have."""

    code = "WORKFLOW_VALIDATION_ERROR"


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference. `base` is its source, with the step's id; `rest` the path below it, each part with how it is
    written; `alone` when it is the whole string.
    """

    text: str
    base: Path
    rest: tuple[tuple[str | int, str], ...]
    alone: bool = False

    @property
    def path(self) -> Path:
        """All of it."""
        return (*self.base, *(part for part, _ in self.rest))

    def value(self, scope: dict[str, Any]) -> Any:
        """What it brings in: the value when it stands alone, else text."""
        value, rest = self._lookup(scope)
        if self.alone:
            return None if value is MISSING else value
        return as_text(value) + rest

    def is_empty(self, scope: dict[str, Any]) -> bool:
        """Whether it leads nowhere."""
        return self._lookup(scope)[0] is MISSING

    def _lookup(self, scope: dict[str, Any]) -> tuple[Any, str]:
        """(what the path leads to, what is written behind a text or a number and so is no part of the path)."""
        if self.alone:
            return lookup(scope, self.path), ""
        value = lookup(scope, self.base)
        for at, (part, _) in enumerate(self.rest):
            if isinstance(value, str | int | float):
                return value, "".join(spelling for _, spelling in self.rest[at:])
            value = lookup(value, (part,))
        return value, ""


def step_path(parts: Sequence[str | int], node_ids: Collection[str]) -> Path:
    """The path below `steps` with the node's id as its first part: the longest known id that the parts begin with."""
    for end in range(min(len(parts), MAX_ID_LENGTH), 0, -1):
        head = parts[:end]
        name = ".".join(map(str, head))
        if name in node_ids and (end == 1 or all(isinstance(part, str) for part in head)):
            return name, *parts[end:]
    name = ".".join(map(str, parts[:MAX_ID_LENGTH]))[:MAX_ID_LENGTH]
    raise UnknownStep(f"names the step {name!r}, but no node has that id")


def compile_value(value: Any, node_ids: Collection[str], depth: int = 0) -> Resolver | None:
    """A function that fills in the value's references, None when it has none; UnknownStep when one names no node."""
    if isinstance(value, str):
        return _compile_text(value, node_ids) if "$" in value else None
    if depth >= DEEPEST or not isinstance(value, dict | list):
        return None
    keys = list(value) if isinstance(value, dict) else range(len(value))
    moving = [(key, resolver) for key in keys if (resolver := compile_value(value[key], node_ids, depth + 1))]
    if not moving:
        return None
    return _fill(value, moving)


def _fill(whole: Any, moving: list[tuple[Any, Resolver]]) -> Resolver:
    """Copies the dict or list and replaces what has references; the rest is shared, not copied."""
    copy = dict if isinstance(whole, dict) else list

    def resolve(scope: dict[str, Any]) -> Any:
        result = copy(whole)
        for key, part in moving:
            result[key] = part(scope)
        return result

    return resolve


def _compile_text(text: str, node_ids: Collection[str]) -> Resolver | None:
    parts = split_text(text, node_ids)
    if len(parts) > 1:
        return lambda scope: "".join(part if isinstance(part, str) else part.value(scope) for part in parts)
    [whole] = parts
    if isinstance(whole, str):
        return None if whole == text else lambda scope: whole
    return whole.value


def texts_in(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """(where, text) of each string in a config that may hold references."""
    if isinstance(value, str) and "$" in value:
        yield path, value
    elif depth < DEEPEST and isinstance(value, dict):
        for key, inner in value.items():
            yield from texts_in(inner, f"{path}.{key}" if path else key, depth + 1)
    elif depth < DEEPEST and isinstance(value, list):
        for at, inner in enumerate(value):
            yield from texts_in(inner, f"{path}[{at}]", depth + 1)


def references_in(value: Any, node_ids: Collection[str]) -> tuple[Reference, ...]:
    """The references of a config, each once; UnknownStep when one names no node."""
    parts = (part for _, text in texts_in(value) for part in split_text(text, node_ids))
    return tuple(dict.fromkeys(part for part in parts if isinstance(part, Reference)))


def split_text(text: str, node_ids: Collection[str], sources: Collection[str] = SOURCES) -> list[str | Reference]:
    """The text cut at its references: strings that stay, references that are filled in. One alone is the whole text."""
    parts: list[str | Reference] = []
    end = 0
    for match in _SOURCE.finditer(text):
        if match.start() < end or match[2] not in sources:
            continue
        parts.append(text[end : match.start()])
        if match[1]:
            end = _tail_end(text, match.end())
            parts.append(text[match.start() + 1 : end])
        else:
            reference, end = _reference(text, match, node_ids)
            parts.append(reference)
    parts.append(text[end:])
    if not any(isinstance(part, Reference) for part in parts):
        return ["".join(map(str, parts))]
    return [part for part in parts if part != ""]


def _reference(text: str, match: re.Match[str], node_ids: Collection[str]) -> tuple[Reference, int]:
    """(the reference that begins here, where it ends)."""
    base: Path = (match[2],)
    end = match.end()
    if match[2] == "steps" and (dot := _FIRST_NAME.match(text, end) or text.startswith(".", end)):
        id = _node_id(text, end + 1, node_ids)
        if id:
            base, end = ("steps", id), end + 1 + len(id)
        elif isinstance(dot, re.Match):
            raise UnknownStep(
                f"refers to {text[match.start() : _tail_end(text, end)]}, but no node has the id {dot[1]!r}"
            )
    rest = []
    while part := _PART.match(text, end):
        rest.append((_part_of(part), part[0]))
        end = part.end()
    alone = match.start() == 0 and end == len(text)
    return Reference(text[match.start() : end], base, tuple(rest), alone), end


def _node_id(text: str, start: int, node_ids: Collection[str]) -> str:
    """The longest id of a node that stands here, empty without one. Ids may hold any character."""
    for end in range(min(len(text), start + MAX_ID_LENGTH), start, -1):
        if text[start:end] in node_ids and not _NAME_GOES_ON.match(text, end):
            return text[start:end]
    return ""


def _part_of(part: re.Match[str]) -> str | int:
    if part["index"] is not None:
        return int(part["index"])
    return next(name for name in (part["name"], part["one"], part["two"]) if name is not None)


def _tail_end(text: str, end: int) -> int:
    """Where the path that begins here ends."""
    while part := _PART.match(text, end):
        end = part.end()
    return end


def as_text(value: Any) -> str:
    """A value inside a text: strings verbatim, nothing for what is missing or null, JSON for the rest."""
    if isinstance(value, str):
        return value
    return "" if value is MISSING or value is None else json.dumps(value, ensure_ascii=False)
