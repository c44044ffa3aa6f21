"""Commands of code tasks whose workers are killed are not run again, and leave no process; in full: make chaos."""

import random

from tests.agents.task_calls import sandboxed
from tests.durability.kill_tasks import kill_tasks
from tests.durability.stand import Stand


@sandboxed
def test_killed_workers_run_no_command_twice(stand: Stand, dice: random.Random) -> None:
    report = kill_tasks(stand, dice, tasks=4, kills=3)
    assert report.ok, str(report)
