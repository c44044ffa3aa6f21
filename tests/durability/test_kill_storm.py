"""All of the worker's processes die, again and again; the runs do not notice."""

import random

from tests.durability.kill_storm import kill_storm
from tests.durability.stand import Stand

SLOW_MACHINE_S = 20.0  # other tests run beside this one; `make chaos` measures the promise itself


def test_a_storm_of_deaths_fails_no_run(stand: Stand, dice: random.Random) -> None:
    report = kill_storm(stand, dice, runs=12, kills=4, resumed_s=SLOW_MACHINE_S)
    assert report.ok, str(report)
