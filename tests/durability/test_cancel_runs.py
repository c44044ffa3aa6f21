"""A cancelled run is over: at once, for good, and without another effect."""

import random

from tests.durability.cancel_runs import cancel_runs
from tests.durability.fuzz_states import fuzz_states
from tests.durability.stand import Stand


def test_a_cancel_is_final_and_comes_in_time(stand: Stand, dice: random.Random) -> None:
    report = cancel_runs(stand, dice, storm=100)
    assert report.ok, str(report)


def test_random_operations_never_make_a_forbidden_move(stand: Stand) -> None:
    report = fuzz_states(stand, operations=500, number=1)
    assert report.ok, str(report)
