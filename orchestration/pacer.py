"""How long an engine and its callers put work off so that one piece of it serves many runs: all adaptive intervals.

Each pacer measures by itself how much is going on. While little is, nothing waits for more than a few milliseconds; the
more there is, the longer each interval gathers, up to a bound that is its price in latency.

| what | quiet | under load | why |
|---|---|---|---|
| claims | at once | every 6 ms, 15 ms with many runs, at most 50 ms | one costs as much for one run as for fifty |
| commits | at once | every 5 ms | all that waits in one transaction: eleven times the runs a second of one each |
| wakes | at once | 4 ms for each wake of the last message, at most 24 ms | each costs every engine a claim |
| updates | 5 at once | every 50 ms | each costs two reads |

Claims and commits are paced by the runs that the engine holds; a process that only sends wakes paces them by their own
number. A second connection for commits would halve what each takes along (docs/decisions/002-engine-in-celery.md).
"""

import time
from collections.abc import Callable

MIN_BUSY_RUNS, BUSY_RUNS = 2, 8  # runs held: from the first on claims are paced, beyond the second more is gathered
BUSY_INTERVAL_S, QUIET_INTERVAL_S = 0.015, 0.006
# Short runs are over before the next claim, so it shows in what claims bring that many are started: the more each has
# brought of late beyond MIN_BUSY_RUNS, the longer the next one gathers.
MAX_AVERAGE_RUNS, INTERVAL_PER_RUN_S, MAX_CLAIM_INTERVAL_S = 16, 0.004, 0.05
MIN_INTERVAL_COMMITS_S = 0.005
MIN_INTERVAL_WAKES_S, MAX_GATHERED_WAKES = 0.004, 6
MIN_INTERVAL_CELERY_S = 0.25  # Celery's message wakes processes that Redis does not reach; one serves for all
MAX_UPDATE_BURST, MIN_INTERVAL_UPDATES_S = 5, 0.05


def is_busy(runs: int) -> bool:
    """Whether an engine holds so many runs that waiting a moment for more saves transactions."""
    return runs > BUSY_RUNS


class ClaimPacer:
    """Paces one engine's claims: in bursts while it has runs to drive."""

    def __init__(self) -> None:
        self.claimed_at = 0.0
        self.average = 0.0  # runs that a claim has brought of late; at most MAX_AVERAGE_RUNS

    def begin(self) -> None:
        """A claim begins."""
        self.claimed_at = time.monotonic()

    def count(self, runs: int) -> None:
        """The claim has brought so many, at least one."""
        self.average += (min(runs, MAX_AVERAGE_RUNS) - self.average) / 4

    def delay(self, runs: int) -> float:
        """Seconds until the next claim of an engine that holds so many runs; less than 0 when it is overdue."""
        interval = min((self.average - MIN_BUSY_RUNS) * INTERVAL_PER_RUN_S, MAX_CLAIM_INTERVAL_S)
        if runs > MIN_BUSY_RUNS:
            interval = max(interval, BUSY_INTERVAL_S if is_busy(runs) else QUIET_INTERVAL_S)
        return interval - (time.monotonic() - self.claimed_at)


class CommitPacer:
    """Paces a journal's commits by the number of runs that its engine holds."""

    def __init__(self, runs: Callable[[], int]) -> None:
        self.runs = runs
        self.committed_at = 0.0

    def is_busy(self) -> bool:
        """Whether a commit is to gather at all."""
        return is_busy(self.runs())

    def begin(self) -> None:
        """A commit begins."""
        self.committed_at = time.monotonic()

    def delay(self) -> float:
        """Seconds until the next commit of a busy engine."""
        return max(MIN_INTERVAL_COMMITS_S - (time.monotonic() - self.committed_at), 0)


class WakePacer:
    """Paces what a process publishes to engines: the more wakes one message has gathered, the later the next goes."""

    def __init__(self) -> None:
        self.published_at = self.celery_at = 0.0
        self.wakes = 1  # that the last message has gathered; at most MAX_GATHERED_WAKES

    def delay(self) -> float:
        """Seconds until the next message."""
        return max(self.published_at + MIN_INTERVAL_WAKES_S * self.wakes - time.monotonic(), 0)

    def begin(self) -> None:
        """A message begins."""
        self.published_at = time.monotonic()

    def count(self, wakes: int) -> None:
        """It has gathered so many wakes."""
        self.wakes = max(min(wakes, MAX_GATHERED_WAKES), 1)

    def is_celery_due(self) -> bool:
        """Whether Celery is to be sent a message too; True starts its next interval."""
        if time.monotonic() - self.celery_at < MIN_INTERVAL_CELERY_S:
            return False
        self.celery_at = time.monotonic()
        return True


class UpdatePacer:
    """Lets MAX_UPDATE_BURST updates of a run pass after a quiet moment, then one every MIN_INTERVAL_UPDATES_S."""

    def __init__(self) -> None:
        self.next_at = 0.0

    def delay(self, now: float) -> float:
        """Seconds until the next update may be sent."""
        return max(self.next_at - now, 0.0)

    def count(self, now: float) -> None:
        """An update was sent."""
        self.next_at = max(self.next_at, now - (MAX_UPDATE_BURST - 1) * MIN_INTERVAL_UPDATES_S) + MIN_INTERVAL_UPDATES_S
