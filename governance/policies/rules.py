"""A policy's rule_expr: read in both of the contract's forms, checked, written back in the first (RULINGS §7).

{condition: {field: value | [values] | {operator: value, …}}, logic?, effect, modify?, approval?}, or
{conditions: [{field, operator, value}], logic, effect, …}.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from config.masking import mask
from governance.conditions import OPERATORS, PRESENCE, compare, lookup, path_parts, value_fault

EFFECTS = ("allow", "deny", "require_approval", "modify")
MODES = ("draft", "auto")
ROLES = ("user", "developer", "admin")
LIMITS = ("cost_limit_cents", "llm_calls_limit", "latency_slo_ms")
MAX_TESTS, MAX_FIELD_LENGTH, MAX_EXPIRY_S = 100, 200, 366 * 24 * 3600


class BadRule(ValueError):
    """The rule_expr cannot be read; the text says where and what to write instead."""


class Facts:
    """An action's context, in which each field is looked up once however many policies ask for it."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.seen: dict[str, Any] = {}

    def at(self, path: str, parts: tuple[str | int, ...]) -> Any:
        """What the path leads to, or MISSING."""
        try:
            return self.seen[path]
        except KeyError:
            found = self.seen[path] = lookup(self.context, parts)
            return found


@dataclass(frozen=True)
class Comparison:
    """One comparison: `path` is a dot path into the action's context."""

    path: str
    operator: str
    value: Any = None
    parts: tuple[str | int, ...] = field(default=(), compare=False, repr=False)

    def holds(self, facts: "Facts") -> bool:
        """Whether it is true of the facts; a missing field makes all but not_exists false."""
        return compare(self.operator, facts.at(self.path, self.parts), self.value)


@dataclass(frozen=True)
class Rule:
    """When a policy applies (all of the tests hold, with OR any of them; none = always), and what it then does."""

    tests: tuple[Comparison, ...]
    logic: str
    effect: str
    modify: dict[str, Any] = field(default_factory=dict)
    approval: dict[str, Any] = field(default_factory=dict)

    def applies(self, facts: Facts) -> bool:
        """Whether the rule's condition holds."""
        decides = self.logic == "OR"  # the first test with this outcome does
        for test in self.tests:  # a plain loop: hundreds of rules are asked for each call
            if test.holds(facts) is decides:
                return decides
        return not decides or not self.tests


def read_rule(expression: Any) -> Rule:
    """The rule; BadRule when it is none."""
    if not isinstance(expression, Mapping):
        raise BadRule("Must be an object: {condition: {…}, effect: …}.")
    effect = expression.get("effect")
    if effect not in EFFECTS:
        raise BadRule(f"effect: Must be one of {', '.join(EFFECTS)}.")
    logic = expression.get("logic", "AND")
    if not isinstance(logic, str) or logic.upper() not in ("AND", "OR"):
        raise BadRule("logic: Must be AND or OR.")
    tests = _tests(expression)
    if len(tests) > MAX_TESTS:
        raise BadRule(f"condition: Has {len(tests)} comparisons; at most {MAX_TESTS} are taken.")
    return Rule(tests, logic.upper(), effect, _modify(expression, effect), _approval(expression, effect))


def _tests(expression: Mapping[str, Any]) -> tuple[Comparison, ...]:
    listed, mapped = expression.get("conditions"), expression.get("condition")
    if listed is not None and mapped is not None:
        tests = _from_list(listed)
        if _as_map(tests) != _as_map(_from_map(mapped)):
            raise BadRule("conditions: Says something else than condition; send one of the two.")
        return tests
    return _from_list(listed) if listed is not None else _from_map({} if mapped is None else mapped)


def _from_list(listed: Any) -> tuple[Comparison, ...]:
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise BadRule("conditions: Must be an array of {field, operator, value}.")
    return tuple(_test(one.get("field"), one.get("operator"), one.get("value"), f"conditions[{at}]")
                 for at, one in enumerate(listed))  # fmt: skip


def _from_map(mapped: Any) -> tuple[Comparison, ...]:
    if not isinstance(mapped, Mapping):
        raise BadRule("condition: Must be an object of fields: {field: value}.")
    tests: list[Comparison] = []
    for name, wanted in mapped.items():
        at = f"condition.{name}"
        if isinstance(wanted, Mapping):
            if not wanted:
                raise BadRule(f"{at}: Names no operator; use {{operator: value}}.")
            tests += [_test(name, operator, value, at) for operator, value in wanted.items()]
        else:
            tests.append(_test(name, "in" if isinstance(wanted, list) else "equals", wanted, at))
    return tuple(tests)


def _test(name: Any, operator: Any, value: Any, at: str) -> Comparison:
    if not isinstance(name, str) or not 0 < len(name) <= MAX_FIELD_LENGTH or not path_parts(name):
        raise BadRule(f"{at[:220]}: The field must be a dot path such as input.amount, of at most {MAX_FIELD_LENGTH}.")
    if not isinstance(operator, str) or operator not in OPERATORS:
        raise BadRule(f"{at}: There is no operator {str(operator)[:50]!r}; use one of {', '.join(OPERATORS)}.")
    if fault := value_fault(operator, value):
        raise BadRule(f"{at}: {operator} {fault}.")
    if operator in PRESENCE and value is False:  # "exists: false" says the opposite
        operator, value = ("not_exists" if operator == "exists" else "exists"), True
    return Comparison(name, operator, True if operator in PRESENCE else value, path_parts(name))


def _modify(expression: Mapping[str, Any], effect: str) -> dict[str, Any]:
    given = expression.get("modify")
    if effect != "modify":
        return {}
    if not isinstance(given, Mapping) or not given:
        raise BadRule(f"modify: Must say what is changed: mode, {', '.join(LIMITS)}.")
    for name, value in given.items():
        if name == "mode":
            if value not in MODES:
                raise BadRule("modify.mode: Must be draft or auto.")
        elif name not in LIMITS:
            raise BadRule(f"modify.{str(name)[:50]}: Only mode, {', '.join(LIMITS)} can be changed.")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10**9:
            raise BadRule(f"modify.{name}: Must be a number from 0 on.")
        elif name != "cost_limit_cents" and value != int(value):
            raise BadRule(f"modify.{name}: Must be a whole number.")
    return dict(given)


def _approval(expression: Mapping[str, Any], effect: str) -> dict[str, Any]:
    """Who must say yes, and until when: {role, expires_s, four_eyes}."""
    given = expression.get("approval")
    if given is None or effect != "require_approval":
        return {}
    if not isinstance(given, Mapping):
        raise BadRule("approval: Must be an object: {role, expires_s, four_eyes}.")
    if given.get("role", "developer") not in ROLES[1:]:
        raise BadRule("approval.role: Must be developer or admin.")
    seconds = given.get("expires_s", 1)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 1 <= seconds <= MAX_EXPIRY_S:
        raise BadRule("approval.expires_s: Must be a number of seconds from 1 to a year.")
    if not isinstance(given.get("four_eyes", False), bool):
        raise BadRule("approval.four_eyes: Must be true or false.")
    return {name: given[name] for name in ("role", "expires_s", "four_eyes") if name in given}


def written(rule: Rule) -> dict[str, Any]:
    """The rule_expr in the contract's form. What a map cannot say (one field twice under one operator) is also given as
    `conditions`.
    """
    condition = _as_map(rule.tests)
    told: dict[str, Any] = {"condition": {name: _short(own) for name, own in condition.items()}}
    if sum(map(len, condition.values())) < len(rule.tests):
        listed = [{"field": test.path, "operator": test.operator, "value": test.value} for test in rule.tests]
        told = {"conditions": listed, **told}
    if rule.logic == "OR":
        told["logic"] = "OR"
    told["effect"] = rule.effect
    return told | {name: part for name, part in (("modify", rule.modify), ("approval", rule.approval)) if part}


def _as_map(tests: tuple[Comparison, ...]) -> dict[str, dict[str, Any]]:
    """{field: {operator: value}}; of a field's tests with one operator the last."""
    condition: dict[str, dict[str, Any]] = {}
    for test in tests:
        condition.setdefault(test.path, {})[test.operator] = test.value
    return condition


def _short(own: dict[str, Any]) -> Any:
    """`value` for equals, `[values]` for in, as the contract writes them."""
    if list(own) == ["equals"] and not isinstance(own["equals"], list | Mapping):
        return own["equals"]
    if list(own) == ["in"] and isinstance(own["in"], list):
        return own["in"]
    return own


def explained(rule: Rule, facts: Facts) -> str:
    """On which values the rule applies: `risk_level equals "high" (it is "high")`."""
    if not rule.tests:
        return "always"
    told = []
    for test in rule.tests:
        if not test.holds(facts):
            continue
        found = mask(facts.at(test.path, test.parts), test.path)
        if test.operator in PRESENCE:
            told.append(f"{test.path} {'exists' if test.operator == 'exists' else 'does not exist'}")
        else:
            told.append(f"{test.path} {test.operator} {_cut(test.value)} (it is {_cut(found)})")
    return f" {'or' if rule.logic == 'OR' else 'and'} ".join(told)


def _cut(value: Any) -> str:
    text = repr(value) if not isinstance(value, str) else f'"{value}"'
    return text if len(text) <= 80 else text[:80] + "…"
