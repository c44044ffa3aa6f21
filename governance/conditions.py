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


def equal(left: Any, right: Any) -> bool:
    """The same JSON value; true is not 1."""
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    if type(left) is not type(right) and (type(left) in NUMERIC or type(right) in NUMERIC):
        left, right = _number(left), _number(right)  # one of them may be kept as text for its many digits
        return left is not None and bool(left == right)
    try:
        return bool(left == right)
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
    def test(left: Any, right: Any) -> bool:
        one, other = _number(left), _number(right)
        return one is not None and other is not None and compare(one, other)

    return test


def _texts(compare: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    return lambda left, right: isinstance(left, str) and isinstance(right, str) and compare(left, right)


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": equal,
    "not_equals": lambda left, right: not equal(left, right),
    "in": lambda left, right: contains(right, left),
    "not_in": lambda left, right: isinstance(right, str | list | tuple | dict) and not contains(right, left),
    "greater_than": _numbers(operator.gt),
    "less_than": _numbers(operator.lt),
    "gte": _numbers(operator.ge),
    "lte": _numbers(operator.le),
    "contains": contains,
    "not_contains": lambda left, right: not contains(left, right),
    "starts_with": _texts(str.startswith),
    "ends_with": _texts(str.endswith),
    "exists": lambda left, right: True,
    "not_exists": lambda left, right: False,
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


def compare(name: str, left: Any, right: Any = None) -> bool:
    """Whether the operator holds between two values; an unknown operator never does."""
    if left is MISSING or right is MISSING:
        return name == "not_exists" and left is MISSING
    test = OPERATORS.get(name)
    return test is not None and test(left, right)


def holds(context: Any, field: str, operator: str, value: Any = None) -> bool:
    """Whether the field, a dot path into the context, stands in this relation to the value."""
    return compare(operator, lookup(context, path_parts(field)), value)
