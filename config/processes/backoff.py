"""Delays that double, between tries of what fails for a while: a connection, a task, a step."""

from dataclasses import dataclass

MAX_DOUBLINGS = 60  # 2 ** 60 is beyond any bound in seconds, and floats overflow much later


@dataclass(frozen=True)
class Backoff:
    """`first_s` after the first failure, twice as long after each further one, never more than `max_s`."""

    first_s: float
    max_s: float

    def delay(self, failures: int) -> float:
        """Seconds until the next try, after so many failures in a row, at least one."""
        return min(self.first_s * 2 ** min(failures - 1, MAX_DOUBLINGS), self.max_s)
