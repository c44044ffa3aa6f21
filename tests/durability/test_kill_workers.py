"""Workers die at random moments; the runs do not notice."""

import random

from tests.durability.kill_workers import kill_workers
from tests.durability.stand import Stand


def test_killed_workers_lose_no_run_and_redo_no_finished_step(stand: Stand, dice: random.Random) -> None:
    lost, quick = kill_workers(stand, dice, runs=30, kills=6)
    assert lost.ok and quick.ok, f"{lost}\n{quick}"
