"""Whether a conditional agent works: its conditions, judged against what is known when its turn comes."""

from collections.abc import Callable, Mapping
from typing import Any

MISSING = object()


def _equal(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted or str(value).lower() == str(wanted).lower()
    return bool(value == wanted) or (
        isinstance(value, str | int | float) and isinstance(wanted, str | int | float) and str(value) == str(wanted)
    )


def _contains(value: Any, wanted: Any) -> bool:
    if isinstance(value, str):
        return str(wanted) in value
    return wanted in value if isinstance(value, list | dict) and isinstance(wanted, str | int | float | bool) else False


def _compared(value: Any, wanted: Any, holds: Callable[[float, float], bool]) -> bool:
    try:
        return holds(float(value), float(wanted))
    except (TypeError, ValueError):
        return False


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": _equal,
    "not_equals": lambda value, wanted: not _equal(value, wanted),
    "contains": _contains,
    "not_contains": lambda value, wanted: not _contains(value, wanted),
    "greater_than": lambda value, wanted: _compared(value, wanted, lambda a, b: a > b),
    "less_than": lambda value, wanted: _compared(value, wanted, lambda a, b: a < b),
    "exists": lambda value, wanted: True,
    "not_exists": lambda value, wanted: False,
}


def all_hold(conditions: tuple[dict[str, Any], ...], context: Mapping[str, Any], results: Mapping[str, Any]) -> bool:
    """True when every condition holds; of what is missing only `not_exists` does."""
    return all(_holds(condition, context, results) for condition in conditions)


def _holds(condition: dict[str, Any], context: Mapping[str, Any], results: Mapping[str, Any]) -> bool:
    operator, path = condition["operator"], condition.get("field") or "result"
    if agent_id := condition.get("agent_id"):
        output = results.get(agent_id)
        value = MISSING if output is None else _walk(fields_of(output), path)
    else:
        value = _in_context(context, path)
    if value is MISSING:
        return bool(operator == "not_exists")
    return OPERATORS[operator](value, condition.get("value"))


def fields_of(output: dict[str, Any]) -> dict[str, Any]:
    """What conditions may name of an agent's output: `result`, and the fields of its JSON answer."""
    return {"result": output.get("result")} | (output.get("data") or {})


def _in_context(context: Mapping[str, Any], path: str) -> Any:
    """The value at a dot path whose first part may have dots of its own, as ids of agents do."""
    for name in sorted(context, key=len, reverse=True):
        if path == name:
            return context[name]
        if path.startswith(f"{name}."):
            return _walk(context[name], path[len(name) + 1 :])
    return MISSING


def _walk(value: Any, path: str) -> Any:
    for part in path.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return MISSING
    return value
