"""The parts that work depends on: each app registers a check of its own, `/readyz` runs them all."""

from collections.abc import Callable
from dataclasses import dataclass

from config.database.probe import DISCONNECTED
from config.values.json_types import JsonObject

READY, DEGRADED, DOWN = "ready", "degraded", "unavailable"
STATES = (READY, DEGRADED, DOWN)  # from good to bad


@dataclass(frozen=True)
class PartState:
    """How a part is: DEGRADED when it works with less than it should, DOWN when work cannot go on without it.

    `values` stand in the answer of `/readyz` as they are; `problem` says what is wrong and what to do.
    """

    values: JsonObject
    state: str = READY
    problem: str = ""


Check = Callable[[], PartState]
CHECKS: dict[str, Check] = {}
DATABASE = "database"
OF_DATABASE: set[str] = set()  # checks that ask the database: without it they would wait for it, each in turn


def readiness_check(name: str, asks_database: bool = True) -> Callable[[Check], Check]:
    """Register the decorated function as the check of the part of this name."""

    def register(check: Check) -> Check:
        CHECKS[name] = check
        if asks_database:
            OF_DATABASE.add(name)
        return check

    return register


@dataclass(frozen=True)
class Readiness:
    """The worst of the parts' states, all their values, and the problem of each part that has one."""

    state: str
    values: JsonObject
    problems: dict[str, str]


def readiness() -> Readiness:
    """The state of all parts at this moment; while the database does not answer, checks that need it are skipped."""
    database = CHECKS[DATABASE]()
    skipped_checks = {DATABASE} | (OF_DATABASE if database.values[DATABASE] == DISCONNECTED else set())
    parts = {DATABASE: database} | {name: check() for name, check in CHECKS.items() if name not in skipped_checks}
    values = {key: value for part in parts.values() for key, value in part.values.items()}
    problems = {name: part.problem for name, part in parts.items() if part.problem}
    return Readiness(max((part.state for part in parts.values()), key=STATES.index), values, problems)
