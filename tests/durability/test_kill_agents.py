"""Agents whose workers are killed ask nothing again that was answered, and do nothing twice; in full: make chaos."""

import random

from tests.durability.kill_agents import kill_agents
from tests.durability.stand import Stand


def test_killed_workers_repeat_no_recorded_call_of_an_agent(stand: Stand, dice: random.Random) -> None:
    report = kill_agents(stand, dice, runs=6, kills=3)
    assert report.ok, str(report)
