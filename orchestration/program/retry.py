"""Which failures are tried again, and when."""

import random
from dataclasses import dataclass

from config.errors import DomainError
from config.processes.backoff import Backoff
from config.values.foreign_json import NotJson, clean_text
from governance.budgets.reservations import BudgetExceeded

MAX_BACKOFF_S = 300.0  # longer pauses would outlast what most runs are waited for


class Transient(Exception):
    """A fault worth another try: the network, a rate limit, a server's 5xx. `retry_after_s` is what the peer asked
    for.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StepFailed(Exception):
    """A step failed for good. `error_type` is a DomainError's code or the exception's name."""

    def __init__(self, name: str, error: str, error_type: str) -> None:
        super().__init__(error)
        self.name, self.error, self.error_type = name, error, error_type


@dataclass(frozen=True)
class Retry:
    """At most `max_attempts` tries in all; `backoff_s` before the second, doubled before each further one."""

    max_attempts: int = 1
    backoff_s: float = 1.0

    def delay(self, tries: int, fault: Exception) -> float:
        """Seconds to wait after this many tries: what the peer asked for, else exponential with a tenth of jitter."""
        backoff = Backoff(self.backoff_s, MAX_BACKOFF_S).delay(tries)
        retry_after = getattr(fault, "retry_after_s", None) or 0.0
        return max(backoff * random.uniform(0.9, 1.1), min(retry_after, MAX_BACKOFF_S))  # noqa: S311


ONCE = Retry(1)


def is_final(fault: Exception) -> bool:
    """The same call would fail in the same way again: refused input, a policy, a budget. So would one whose answer
    cannot be recorded, and what it did was done.
    """
    return isinstance(fault, NotJson) or (isinstance(fault, DomainError) and fault.status < 500)


def describe(fault: BaseException) -> tuple[str, str]:
    """(sentence, error type) of a fault, as events, steps and results tell it."""
    if isinstance(fault, StepFailed):
        return fault.error, fault.error_type
    if isinstance(fault, DomainError):
        return clean_text(fault.message), fault.code
    if isinstance(fault, TimeoutError):
        return str(fault) or "It took too long.", "TimeoutError"
    return clean_text(str(fault)) or type(fault).__name__, type(fault).__name__


def failure(name: str, record: dict[str, str] | None) -> Exception:
    """What a replay raises for a step that is recorded with this error: the same as the first time."""
    record = record or {}
    error, error_type = record.get("error", "It failed."), record.get("error_type", "Error")
    return BudgetExceeded(error) if error_type == BudgetExceeded.code else StepFailed(name, error, error_type)
