"""An engine that wakes up after its lease finds that the runs are somebody else's."""

import random

from tests.durability.stand import Stand
from tests.durability.stop_engines import stop_engines, stop_engines_mid_claim


def test_a_stale_engine_writes_nothing(stand: Stand, dice: random.Random) -> None:
    report = stop_engines(stand, dice, cycles=2)
    assert report.ok, str(report)


def test_an_engine_frozen_while_it_claims_leaves_no_lock_behind(stand: Stand, dice: random.Random) -> None:
    report = stop_engines_mid_claim(stand, dice, cycles=20)
    assert report.ok, str(report)
