"""The checks of settings: of a team, an agent or an execution."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from config.values.json_types import Json

MAX_ATTEMPTS = 10
MAX_TIMEOUT_S = 24 * 3600
MAX_BACKOFF_S = 3600
MAX_TURNS = 100
MAX_OUTPUT_TOKENS = 1_000_000


class Range(NamedTuple):
    """The numbers that a setting may have."""

    least: float
    most: float
    is_whole: bool = False


RETRY_RANGES = {
    "max_attempts": Range(1, MAX_ATTEMPTS, True),
    "max_retries": Range(0, MAX_ATTEMPTS, True),
    "backoff_s": Range(0, MAX_BACKOFF_S),
    "delay": Range(0, MAX_BACKOFF_S),
    "retry_delay": Range(0, MAX_BACKOFF_S),
}
CONFIG_RANGES = {
    "temperature": Range(0, 2),
    "max_tokens": Range(1, MAX_OUTPUT_TOKENS, True),
    "max_turns": Range(1, MAX_TURNS, True),
}
TIMEOUT_RANGE = Range(0.001, MAX_TIMEOUT_S)
Fault = tuple[str, str]  # (the path of a value, a sentence about what is wrong with it)


def config_faults(config: Json, path: str) -> Iterator[Fault]:
    """What is wrong with the settings of a team, an agent or an execution: {model, temperature, max_tokens …}."""
    if config is None:
        return
    yield from number_faults(config, CONFIG_RANGES, path)
    if isinstance(config, Mapping):
        for name in ("model", "provider"):
            if not isinstance(config.get(name, ""), str):
                yield f"{path}.{name}", "Must be a text."
        if not isinstance(config.get("summarize", False), bool):
            yield f"{path}.summarize", "Must be true or false."


def number_faults(values: Json, ranges: Mapping[str, Range], path: str) -> Iterator[Fault]:
    """What is wrong with the numbers of this object, which may leave each of them out."""
    if values is None:
        return
    if not isinstance(values, Mapping):
        yield path, "Must be an object."
        return
    for name, range in ranges.items():
        if values.get(name) is not None and (sentence := number_fault(values[name], range)):
            yield f"{path}.{name}", sentence


def number_fault(value: Json, range: Range) -> str:
    """What is wrong with the value; "" when it is a number of the range."""
    types = (int,) if range.is_whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, types) or not range.least <= value <= range.most:
        return f"Must be a {'whole number' if range.is_whole else 'number'} from {range.least:g} to {range.most:g}."
    return ""
