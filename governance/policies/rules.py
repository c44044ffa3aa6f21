"""A policy's rule: comparisons on the context of an action, and the effect when they hold."""

from dataclasses import dataclass, field
from typing import Any

from config.masking import mask
from config.values.json_types import JsonObject
from governance.conditions import PRESENCE, compare, lookup

MAX_QUOTED = 80  # characters of a value in an explanation


class ActionContext:
    """The context of an action; each field is looked up once however many policies compare it."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.cache: JsonObject = {}

    def at(self, path: str, parts: tuple[str | int, ...]) -> Any:
        """What the path leads to, or MISSING."""
        try:
            return self.cache[path]
        except KeyError:
            value = self.cache[path] = lookup(self.context, parts)
            return value


@dataclass(frozen=True)
class Comparison:
    """One comparison: `path` is a dot path into the action's context."""

    path: str
    operator: str
    value: Any = None
    parts: tuple[str | int, ...] = field(default=(), compare=False, repr=False)

    def holds(self, context: ActionContext) -> bool:
        """Whether it is true of the context; a missing field makes all but not_exists false."""
        return compare(self.operator, context.at(self.path, self.parts), self.value)


@dataclass(frozen=True)
class Rule:
    """When a policy applies (all of the tests hold, with OR any of them; none = always), and what it then does."""

    tests: tuple[Comparison, ...]
    logic: str
    effect: str
    modify: JsonObject = field(default_factory=dict)
    approval: JsonObject = field(default_factory=dict)

    def applies(self, context: ActionContext) -> bool:
        """Whether the rule's condition holds."""
        decides = self.logic == "OR"  # the first test with this outcome does
        for test in self.tests:  # a plain loop: hundreds of rules are evaluated for each call
            if test.holds(context) is decides:
                return decides
        return not decides or not self.tests


def explain(rule: Rule, context: ActionContext) -> str:
    """On which values the rule applies: `risk_level equals "high" (it is "high")`."""
    if not rule.tests:
        return "always"
    reasons = []
    for test in rule.tests:
        if not test.holds(context):
            continue
        value = mask(context.at(test.path, test.parts), test.path)
        if test.operator in PRESENCE:
            reasons.append(f"{test.path} {'exists' if test.operator == 'exists' else 'does not exist'}")
        else:
            reasons.append(f"{test.path} {test.operator} {_truncate(test.value)} (it is {_truncate(value)})")
    return f" {'or' if rule.logic == 'OR' else 'and'} ".join(reasons)


def _truncate(value: Any) -> str:
    text = repr(value) if not isinstance(value, str) else f'"{value}"'
    return text if len(text) <= MAX_QUOTED else text[:MAX_QUOTED] + "…"
