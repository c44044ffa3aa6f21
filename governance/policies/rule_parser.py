"""A policy's rule_expr: read in both of the contract's forms, checked, written back in the first (RULINGS §7).

{condition: {field: value | [values] | {operator: value, …}}, logic?, effect, modify?, approval?}, or
{conditions: [{field, operator, value}], logic, effect, …}.
"""

from collections.abc import Mapping
from typing import Any

from config.values.json_types import JsonObject
from governance.conditions import OPERATORS, PRESENCE, path_parts, value_fault
from governance.policies.rules import Comparison, Rule

EFFECTS = ("allow", "deny", "require_approval", "modify")
MODES = ("draft", "auto")
ROLES = ("user", "developer", "admin")
LIMITS = ("cost_limit_cents", "llm_calls_limit", "latency_slo_ms")
MAX_TESTS, MAX_FIELD_LENGTH, MAX_EXPIRY_S = 100, 200, 366 * 24 * 3600


class BadRule(ValueError):
    """The rule_expr cannot be read; the text says where and what to write instead."""


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
    conditions, condition_map = expression.get("conditions"), expression.get("condition")
    if conditions is not None and condition_map is not None:
        tests = _from_list(conditions)
        if _as_map(tests) != _as_map(_from_map(condition_map)):
            raise BadRule("conditions: Says something else than condition; send one of the two.")
        return tests
    if conditions is not None:
        return _from_list(conditions)
    return _from_map({} if condition_map is None else condition_map)


def _from_list(conditions: Any) -> tuple[Comparison, ...]:
    if not isinstance(conditions, list) or not all(isinstance(one, Mapping) for one in conditions):
        raise BadRule("conditions: Must be an array of {field, operator, value}.")
    return tuple(_test(one.get("field"), one.get("operator"), one.get("value"), f"conditions[{at}]")
                 for at, one in enumerate(conditions))  # fmt: skip


def _from_map(condition_map: Any) -> tuple[Comparison, ...]:
    if not isinstance(condition_map, Mapping):
        raise BadRule("condition: Must be an object of fields: {field: value}.")
    tests: list[Comparison] = []
    for name, operand in condition_map.items():
        at = f"condition.{name}"
        if isinstance(operand, Mapping):
            if not operand:
                raise BadRule(f"{at}: Names no operator; use {{operator: value}}.")
            tests += [_test(name, operator, value, at) for operator, value in operand.items()]
        else:
            tests.append(_test(name, "in" if isinstance(operand, list) else "equals", operand, at))
    return tuple(tests)


def _test(name: Any, operator: Any, value: Any, at: str) -> Comparison:
    if not isinstance(name, str) or not 0 < len(name) <= MAX_FIELD_LENGTH or not path_parts(name):
        raise BadRule(f"{at[:220]}: The field must be a dot path such as input.amount, of at most {MAX_FIELD_LENGTH}.")
    if not isinstance(operator, str) or operator not in OPERATORS:
        raise BadRule(f"{at}: There is no operator {str(operator)[:50]!r}; use one of {', '.join(OPERATORS)}.")
    if fault := value_fault(operator, value):
        raise BadRule(f"{at}: {operator} {fault}.")
    if operator in PRESENCE and value is False:  # "exists: false" is not_exists
        operator, value = ("not_exists" if operator == "exists" else "exists"), True
    return Comparison(name, operator, True if operator in PRESENCE else value, path_parts(name))


def _modify(expression: Mapping[str, Any], effect: str) -> JsonObject:
    settings = expression.get("modify")
    if effect != "modify":
        return {}
    if not isinstance(settings, Mapping) or not settings:
        raise BadRule(f"modify: Must say what is changed: mode, {', '.join(LIMITS)}.")
    for name, value in settings.items():
        if name == "mode":
            if value not in MODES:
                raise BadRule("modify.mode: Must be draft or auto.")
        elif name not in LIMITS:
            raise BadRule(f"modify.{str(name)[:50]}: Only mode, {', '.join(LIMITS)} can be changed.")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10**9:
            raise BadRule(f"modify.{name}: Must be a number from 0 on.")
        elif name != "cost_limit_cents" and value != int(value):
            raise BadRule(f"modify.{name}: Must be a whole number.")
    return dict(settings)


def _approval(expression: Mapping[str, Any], effect: str) -> JsonObject:
    """Who must approve, and within which time: {role, expires_s, four_eyes}."""
    settings = expression.get("approval")
    if settings is None or effect != "require_approval":
        return {}
    if not isinstance(settings, Mapping):
        raise BadRule("approval: Must be an object: {role, expires_s, four_eyes}.")
    if settings.get("role", "developer") not in ROLES[1:]:
        raise BadRule("approval.role: Must be developer or admin.")
    seconds = settings.get("expires_s", 1)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 1 <= seconds <= MAX_EXPIRY_S:
        raise BadRule("approval.expires_s: Must be a number of seconds from 1 to a year.")
    if not isinstance(settings.get("four_eyes", False), bool):
        raise BadRule("approval.four_eyes: Must be true or false.")
    return {name: settings[name] for name in ("role", "expires_s", "four_eyes") if name in settings}


def rule_expression(rule: Rule) -> JsonObject:
    """The rule_expr in the contract's form.

    A field twice under one operator, which a map cannot hold, is also written as `conditions`.
    """
    condition = _as_map(rule.tests)
    expression: JsonObject = {"condition": {name: _short(own) for name, own in condition.items()}}
    if sum(map(len, condition.values())) < len(rule.tests):
        conditions = [{"field": test.path, "operator": test.operator, "value": test.value} for test in rule.tests]
        expression = {"conditions": conditions, **expression}
    if rule.logic == "OR":
        expression["logic"] = "OR"
    expression["effect"] = rule.effect
    return expression | {name: part for name, part in (("modify", rule.modify), ("approval", rule.approval)) if part}


def _as_map(tests: tuple[Comparison, ...]) -> dict[str, JsonObject]:
    """{field: {operator: value}}; of a field's tests with one operator the last."""
    condition: dict[str, JsonObject] = {}
    for test in tests:
        condition.setdefault(test.path, {})[test.operator] = test.value
    return condition


def _short(own: JsonObject) -> Any:
    """`value` for equals, `[values]` for in, as the contract writes them."""
    if list(own) == ["equals"] and not isinstance(own["equals"], list | Mapping):
        return own["equals"]
    if list(own) == ["in"] and isinstance(own["in"], list):
        return own["in"]
    return own
