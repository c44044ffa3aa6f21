"""kill -9 of a worker process that holds runs: how soon they are claimed again, and that all of them complete."""

import os
import signal
import time
from uuid import UUID

from tests.bench import load, programs
from tests.bench.figures import Row, at_most
from tests.bench.setting import Bench
from tests.bench.stack import Program

RUNS, MIN_HELD = 400, 100
HOLD_S = 2.5
PATIENCE_S = 20.0
LOOK_S = 0.005
HOLDERS = """
SELECT e.pid, count(*) FROM orchestration_run r JOIN orchestration_engine e ON e.owner = r.owner
GROUP BY e.pid ORDER BY count(*) DESC
"""
# A claim sets updated_at; nothing else touches a run whose step is under way.
CLAIMED_AGAIN = """
SELECT min(extract(epoch FROM updated_at))::float8, count(*) FROM orchestration_run
WHERE id = ANY(%s) AND attempt >= 2 AND owner IS NOT NULL
"""


def measure(bench: Bench) -> list[Row]:
    """The time from the kill to the first claim of a run that the dead process held."""
    with bench.stack.worker() as worker:
        taken = [_kill_one(bench, worker) for _ in range(bench.trials)]
    note = f"at least {MIN_HELD} runs held, none lost"
    return [
        Row(
            "death",
            "kill -9 of a worker process until its runs are claimed again",
            "s",
            taken,
            (at_most(1),),
            "",
            [],
            note,
        )
    ]


def _kill_one(bench: Bench, worker: Program) -> float:
    worker.wait_until(lambda: len(bench.database.engine_pids) == 2)
    batch = load.queue(bench, RUNS, kind=programs.HOLD, input={"hold_s": HOLD_S})
    victim = _holder(bench)
    if victim not in {process.pid for process in worker.tree()}:
        raise load.Lost(f"The engine of process {victim} is none of ours.")
    killed = time.time()
    os.kill(victim, signal.SIGKILL)
    again = _claimed_again(bench, batch.ids) - killed
    load.wait_idle(bench)
    load.check(bench, batch.ids)
    return again


def _holder(bench: Bench) -> int:
    """The process that holds the most runs, once it holds enough."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        held = bench.database.all(HOLDERS)
        if held and held[0][1] >= MIN_HELD and sum(count for _, count in held) == RUNS:
            return int(held[0][0])
        time.sleep(LOOK_S)
    raise load.Lost("No engine came to hold enough runs.")


def _claimed_again(bench: Bench, ids: list[UUID]) -> float:
    """The moment of the first new claim."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        first, count = bench.database.all(CLAIMED_AGAIN, ids)[0]
        if count:
            return float(first)
        time.sleep(LOOK_S)
    raise load.Lost(f"No run was claimed again within {PATIENCE_S:.0f} s.")
