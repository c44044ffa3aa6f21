"""PostgreSQL ends without a word and comes back; the product waits for it."""

import random

from tests.durability.break_wire import break_wire
from tests.durability.restart_database import restart_database
from tests.durability.stand import Stand


def test_a_restarted_database_loses_no_run_and_ends_no_process(stand: Stand, dice: random.Random) -> None:
    report = restart_database(stand, dice, restarts=2, apart_s=(2, 4))
    assert report.ok, str(report)


def test_a_broken_wire_strands_no_run_and_counts_nothing_twice(dice: random.Random) -> None:
    report = break_wire(dice, storm_s=6)
    assert report.ok, str(report)
