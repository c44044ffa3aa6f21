"""What apps and plug-ins register by name, and the checks that an entry must pass at start."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Check = Callable[[Any], list[str]]  # entry → sentences about what is wrong with it


@dataclass
class Registry:
    """Entries of one sort by their names."""

    check: Check
    entries: dict[str, Any] = field(default_factory=dict)


REGISTRIES: dict[str, Registry] = {}


def registry(sort: str, check: Check = lambda entry: []) -> dict[str, Any]:
    """The new registry of this sort, such as "tools"; plug-ins may add to it what `check` finds no fault with."""
    REGISTRIES[sort] = Registry(check)
    return REGISTRIES[sort].entries
