"""Redis only carries messages: without it everything goes on, a little later."""

import random

from tests.durability.lose_broker import freeze_broker, lose_broker
from tests.durability.stand import Stand


def test_without_redis_runs_are_accepted_finished_and_watched(stand: Stand, dice: random.Random) -> None:
    report = lose_broker(stand, dice, away_s=5)
    assert report.ok, str(report)


def test_while_redis_is_silent_runs_are_accepted_finished_and_watched(stand: Stand, dice: random.Random) -> None:
    report = freeze_broker(stand, dice, away_s=4)
    assert report.ok, str(report)
