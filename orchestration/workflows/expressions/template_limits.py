"""How much a template may do: each text and list that it makes and each turn of a loop counts towards one limit."""

import functools
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar, Token
from dataclasses import dataclass
from itertools import islice
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Undefined

from orchestration.workflows.expressions.references import Reference

MAX_UNITS = 2_000_000  # characters and items made, turns of loops
MAX_CPU_S = 0.25
MAX_NUMBER = 10**12
_FILTER_NAMES = (
    "abs count default d e escape first float int last length lower map max min reject rejectattr select selectattr"
)
_FILTER_NAMES += " sort title trim truncate unique upper items"


class TooMuch(Exception):
    """The template does more than it may."""


@dataclass(slots=True)
class Limit:
    """What is left for one rendering."""

    units: int
    cpu_until: float


_limit: ContextVar[Limit | None] = ContextVar("template_limit", default=None)


def start() -> Token[Limit | None]:
    """Begin a rendering; `stop` ends it."""
    return _limit.set(Limit(MAX_UNITS, time.thread_time() + MAX_CPU_S))


def stop(token: Token[Limit | None]) -> None:
    """End the rendering."""
    _limit.reset(token)


def spend(units: int) -> None:
    """Take from what is left; TooMuch when it is used up."""
    limit = _limit.get()
    if limit is None:
        return
    limit.units -= units + 1
    if limit.units < 0 or time.thread_time() > limit.cpu_until:
        raise TooMuch("it does more than a prompt's template may")


def with_cost(value: Any) -> Any:
    """The value, its length taken from what is left."""
    spend(len(value) if isinstance(value, str | list | tuple | range) else 0)
    return value


def check_operands(operator: str, first: Any, second: Any) -> None:
    """Refuse arithmetic that makes much out of little."""
    sides = (first, second)
    if all(isinstance(side, int | float) and abs(side) < MAX_NUMBER for side in sides) and operator != "**":
        return
    if (
        operator == "+"
        and all(isinstance(side, str) for side in sides)
        or all(isinstance(side, list) for side in sides)
    ):
        spend(len(first) + len(second))
        return
    raise TooMuch(f"{operator} works on moderate numbers only")


def as_output(value: Any) -> Any:
    """How a value is written: objects and lists as JSON, null as nothing."""
    if isinstance(value, dict | list | tuple):
        return _as_json(value)
    return "" if value is None else value


def _as_json(value: Any) -> str:
    _weigh_tree(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def _weigh_tree(value: Any) -> None:
    """Spend the size of what the value would be as JSON: a list may hold the same large thing many times."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            spend(sum(map(len, map(str, value))))
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            spend(len(value))
            waiting.extend(value)
        else:
            spend(len(value) if isinstance(value, str) else 4)


def _text(value: Any) -> str:
    """The value as text, as `{{ value }}` writes it."""
    return str(as_output(value))


def _join(values: Iterable[Any], separator: str = "", attribute: str | None = None) -> str:
    items = [_text(item.get(attribute) if attribute and isinstance(item, dict) else item) for item in _each(values)]
    spend(sum(map(len, items)) + len(separator) * len(items))
    return separator.join(items)


def _each(values: Any) -> Iterator[Any]:
    for value in values:
        spend(1)
        yield value


def _part(value: Any, start: int | None, stop: int | None, step: int | None) -> Any:
    return (
        with_cost(value[start:stop:step])
        if isinstance(value, str | list | tuple)
        else list(islice(value, start, stop, step))
    )


def _replace(text: Any, old: str, new: str) -> str:
    text = _text(text)
    spend(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


def _round(value: float, digits: int = 0) -> float:
    return round(value, max(min(digits, 12), -12))


@pass_context
def reference(context: Any, base: list[Any], rest: list[tuple[str | int, str]]) -> str:
    """The text of a `$…` reference of a prompt; nothing when the path leads nowhere."""
    text: str = Reference("", tuple(base), tuple(rest)).value({base[0]: context.get(base[0])})
    return text


def allowed_filters(filters: dict[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """Those of Jinja's filters that templates here have, each weighing what it makes."""
    return {name: _weighing(filters[name]) for name in _FILTER_NAMES.split()}


def _weighing(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)  # it also carries Jinja's mark of which filters want the context
    def limited_filter(*args: Any, **kwargs: Any) -> Any:
        if any(isinstance(value, int) and not isinstance(value, bool) and value > 10**6 for value in kwargs.values()):
            raise TooMuch("a filter is asked for too much")
        return with_cost(function(*args, **kwargs))

    return limited_filter


def _list(values: Any) -> list[Any]:
    return list(_each(values))


def _reverse(values: Any) -> Any:
    return with_cost(values[::-1]) if isinstance(values, str) else _list(values)[::-1]


def _total(values: Any, attribute: str | None = None) -> float:
    numbers: list[Any] = [
        item.get(attribute) if attribute and isinstance(item, dict) else item for item in _each(values)
    ]
    if any(not isinstance(number, int | float) for number in numbers):
        raise TooMuch("sum adds numbers only")
    return sum(numbers)


def _json_text(value: Any) -> str:
    return json.dumps(None) if isinstance(value, Undefined) else _as_json(value)


FILTERS: dict[str, Callable[..., Any]] = {
    "each_of": _each, "joined": _join, "join": _join, "part": _part, "replace": _replace, "round": _round,
    "string": _text, "list": _list, "reverse": _reverse, "sum": _total, "tojson": _json_text,
}  # fmt: skip
