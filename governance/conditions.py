"""The one condition evaluator, for policies, teams and edges: `holds(context, "input.amount", "gte", 100)`.

A field that is missing makes every operator false but not_exists. No operator raises, whatever the types: what cannot
be compared does not match. A bool is not a number, so `true` never equals 1.
"""

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from config.values.foreign_json import large_number

MISSING: Final[Any] = type("Missing", (), {"__repr__": lambda self: "MISSING", "__bool__": lambda self: False})()
_PART = re.compile(r"\[(-?[0-9]{1,9})\]|([^.\[\]]+)")


def path_parts(path: str) -> tuple[str | int, ...]:
    """The steps of a dot path: `a.b[0].c` and `a.b.0.c` both lead through the list's first item."""
    return tuple(int(index) if index else name for index, name in _PART.findall(path))


def lookup(value: Any, parts: Sequence[str | int]) -> Any:
    """What the path leads to, or MISSING."""
    for part in parts:
        if isinstance(value, dict):
            value = value.get(part if isinstance(part, str) else str(part), MISSING)
        elif isinstance(value, list):
            value = _item(value, part)
        else:
            return MISSING
    return value


def _item(values: list[Any], part: str | int) -> Any:
    """The list's item at this place, or MISSING."""
    if isinstance(part, str):
        if not (part.isascii() and part.isdigit() and len(part) < 10):
            return MISSING
        part = int(part)
    return values[part] if -len(values) <= part < len(values) else MISSING


NUMERIC = frozenset({int, float})  # by the type itself: bool is a subclass of int


def equal(actual: Any, operand: Any) -> bool:
    """The same JSON value; true is not 1."""
    if isinstance(actual, bool) is not isinstance(operand, bool):
        return False
    if type(actual) is not type(operand) and (type(actual) in NUMERIC or type(operand) in NUMERIC):
        actual, operand = _number(actual), _number(operand)  # one of them may be kept as text for its many digits
        return actual is not None and bool(actual == operand)
    try:
        return bool(actual == operand)
    except RecursionError:  # two values nested too deep to be looked at
        return False


def contains(whole: Any, part: Any) -> bool:
    """A text has this part, a list this item, an object this key."""
    if isinstance(whole, str):
        return isinstance(part, str) and part in whole
    if isinstance(whole, list | tuple):
        return any(equal(item, part) for item in whole)
    return isinstance(whole, dict) and isinstance(part, str) and part in whole


def _number(value: Any) -> Any:
    """The number, also one that is kept as text because it has too many digits; None for what is none."""
    if type(value) in NUMERIC:
        return value if value == value else None  # NaN is none
    return large_number(value) if type(value) is str else None


def _numbers(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def test(actual: Any, operand: Any) -> bool:
        one, other = _number(actual), _number(operand)
        return one is not None and other is not None and compare(one, other)

    return test


def _texts(compare: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    return lambda actual, operand: isinstance(actual, str) and isinstance(operand, str) and compare(actual, operand)


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": equal,
    "not_equals": lambda actual, operand: not equal(actual, operand),
    "in": lambda actual, operand: contains(operand, actual),
    "not_in": lambda actual, operand: isinstance(operand, str | list | tuple | dict) and not contains(operand, actual),
    "greater_than": _numbers(operator.gt),
    "less_than": _numbers(operator.lt),
    "gte": _numbers(operator.ge),
    "lte": _numbers(operator.le),
    "contains": contains,
    "not_contains": lambda actual, operand: not contains(actual, operand),
    "starts_with": _texts(str.startswith),
    "ends_with": _texts(str.endswith),
    "exists": lambda actual, operand: True,
    "not_exists": lambda actual, operand: False,
}


LISTS = ("in", "not_in")
NUMBERS = ("greater_than", "less_than", "gte", "lte")
TEXTS = ("starts_with", "ends_with")
PRESENCE = ("exists", "not_exists")


def value_fault(operator: str, value: Any) -> str:
    """What is wrong with the value that a condition compares with, as `needs a number`; "" when nothing is."""
    if operator in LISTS and not isinstance(value, list | str | dict):
        return "needs an array of values"
    if operator in NUMBERS and type(value) not in NUMERIC:
        return "needs a number"
    if operator in TEXTS and not isinstance(value, str):
        return "needs a text"
    return ""


def compare(name: str, actual: Any, operand: Any = None) -> bool:
    """Whether the operator holds between two values; an unknown operator never does."""
    if actual is MISSING or operand is MISSING:
        return name == "not_exists" and actual is MISSING
    test = OPERATORS.get(name)
    return test is not None and test(actual, operand)


def holds(context: Any, field: str, operator: str, value: Any = None) -> bool:
    """Whether the field, a dot path into the context, stands in this relation to the value."""
    return compare(operator, lookup(context, path_parts(field)), value)
