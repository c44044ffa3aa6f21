"""Nothing that is raised in what serves all tenants stops it."""

from tests.durability.break_tasks import break_tasks
from tests.durability.stand import Stand


def test_an_exception_in_any_long_lived_task_stops_nobody(stand: Stand) -> None:
    report = break_tasks(stand, rounds=1)
    assert report.ok, str(report)
