"""How long an engine waits between two claims: a claim costs as much for one run as for fifty."""

import time

MIN_BUSY_RUNS, BUSY_RUNS = 2, 8
BUSY_INTERVAL_S, QUIET_INTERVAL_S = 0.015, 0.006
# Short runs are over before the next claim, so it shows in what claims bring that many are started: the more each has
# brought of late beyond MIN_BUSY_RUNS, the longer the next one gathers.
MAX_COUNTED, GATHER_S, MAX_GATHER_S = 16, 0.004, 0.05


class Pacer:
    """Paces one engine's claims."""

    def __init__(self) -> None:
        self.claimed_at = 0.0
        self.average = 0.0  # runs that a claim has brought of late; at most MAX_COUNTED

    def claim(self) -> None:
        """A claim begins."""
        self.claimed_at = time.monotonic()

    def bring(self, runs: int) -> None:
        """The claim has brought so many, at least one."""
        self.average += (min(runs, MAX_COUNTED) - self.average) / 4

    def pause(self, held: int) -> float:
        """The seconds until the next claim, or less than 0; an engine that has runs to drive claims in bursts."""
        interval = min((self.average - MIN_BUSY_RUNS) * GATHER_S, MAX_GATHER_S)
        if held > MIN_BUSY_RUNS:
            interval = max(interval, BUSY_INTERVAL_S if is_busy(held) else QUIET_INTERVAL_S)
        return interval - (time.monotonic() - self.claimed_at)


def is_busy(held: int) -> bool:
    """There is enough going on that waiting a moment for more saves transactions."""
    return held > BUSY_RUNS
