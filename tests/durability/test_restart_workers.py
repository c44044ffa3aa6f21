"""A deployment is no event for the runs; a run that kills its workers is."""

import random

from tests.durability.restart_workers import restart_workers, stop_poison
from tests.durability.stand import Stand


def test_restarted_workers_lose_no_run_and_repeat_no_effect(stand: Stand, dice: random.Random) -> None:
    report = restart_workers(stand, dice, restarts=2)
    assert report.ok, str(report)


def test_a_run_that_kills_its_workers_ends_failed_and_the_others_finish(stand: Stand) -> None:
    report = stop_poison(stand)
    assert report.ok, str(report)
