"""The faults of a definition: collected while it is read, reported all at once, each under the path of its field."""

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, NoReturn

from config.errors import WorkflowInvalid

MAX_REPORTED = 50
MAX_VALUE_LENGTH = 60


@dataclass(slots=True)
class Problems:
    """The sentences found so far, by the path of the field that they are about."""

    by_path: dict[str, list[str]] = field(default_factory=dict)
    count: int = 0

    def add(self, path: str, sentence: str) -> None:
        """One more, unless there are enough to work on."""
        self.count += 1
        if self.count <= MAX_REPORTED:
            self.by_path.setdefault(path, []).append(sentence)

    def stop(self, path: str, sentence: str) -> NoReturn:
        """One that makes it pointless to read on."""
        self.add(path, sentence)
        self.raise_if_any()
        raise AssertionError("unreachable")

    def raise_if_any(self) -> None:
        """WorkflowInvalid when something was found."""
        if not self.by_path:
            return
        first = next(iter(self.by_path.values()))[0]
        more = f" (and {self.count - 1} more, see context.errors)" if self.count > 1 else ""
        raise WorkflowInvalid(self.by_path, first + more)


@dataclass(slots=True)
class Place:
    """One node or edge of the definition: reads its fields and tells what is wrong with them."""

    problems: Problems
    path: str
    label: str
    ids: Collection[str] = ()

    def add(self, name: str, sentence: str) -> None:
        """Something is wrong with the field of this name."""
        self.problems.add(f"{self.path}.{name}" if name else self.path, f"{self.label}: {sentence}")

    def text(self, fields: dict[str, Any], name: str, at: str, most: int = 255, required: bool = True) -> str:
        """The field's text, empty when it is missing or not one."""
        value = fields.get(name)
        if value is None and not required:
            return ""
        if not isinstance(value, str) or not value.strip():
            self.add(at, f"{name} {'is missing' if value is None else 'must be a text'}")
        elif len(value) > most:
            self.add(at, f"{name} is longer than {most} characters")
        else:
            return value
        return ""

    def number(
        self,
        fields: dict[str, Any],
        name: str,
        at: str,
        least: float,
        most: float,
        above: bool = False,
        whole: bool = False,
    ) -> float | None:
        """The field's number within the bounds (`above`: greater than the least), None when it is missing or wrong."""
        value = fields.get(name)
        if value is None:
            return None
        number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if number and math.isfinite(value) and least <= value <= most and not (above and value == least):
            return value
        low = f"more than {least:g}" if above else f"at least {least:g}"
        self.add(
            at,
            f"{name} must be a {'whole ' if whole else ''}number, {low} and at most {most:g}, not {value_text(value)}",
        )
        return None

    def node_id(self, value: Any, at: str) -> str:
        """The id when it is a node's, else an empty text."""
        if isinstance(value, str) and value in self.ids:
            return value
        problem = "names no node" if value is None else f"names the node {value_text(value)}, which does not exist"
        self.add(at, problem)
        return ""


def value_text(value: Any) -> str:
    """A value as an error tells it, cut."""
    text = (
        repr(value) if isinstance(value, str | int | float | bool) or value is None else f"a {_KINDS.get(type(value))}"
    )
    return text if len(text) <= MAX_VALUE_LENGTH else text[:MAX_VALUE_LENGTH] + "…"


_KINDS: dict[type, str] = {dict: "object", list: "list"}
