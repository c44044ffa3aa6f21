"""Killed workers make approved calls once, land drafts once, and guess nothing; in full: make chaos."""

import random

from tests.durability.kill_governed import kill_applies, kill_approved, kill_doubtful
from tests.durability.stand import Stand


def test_killed_workers_make_each_approved_call_once(stand: Stand, dice: random.Random) -> None:
    report = kill_approved(stand, dice, runs=3, kills=3)
    assert report.ok, str(report)


def test_killed_workers_land_each_change_once(stand: Stand, dice: random.Random) -> None:
    report = kill_applies(stand, dice, drafts=3, kills=2)
    assert report.ok, str(report)


def test_a_call_in_doubt_is_put_to_a_person(stand: Stand, dice: random.Random) -> None:
    report = kill_doubtful(stand, dice)
    assert report.ok, str(report)
