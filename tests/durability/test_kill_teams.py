"""Executions of teams whose workers are killed go on after the last agent that had finished; in full: make chaos."""

import random

from tests.durability.kill_teams import kill_teams
from tests.durability.stand import Stand


def test_killed_workers_begin_no_agent_of_a_team_again(stand: Stand, dice: random.Random) -> None:
    report = kill_teams(stand, dice, executions=6, kills=3)
    assert report.ok, str(report)
