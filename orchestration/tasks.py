"""The engine's Celery tasks. They carry no work and no state: runs live in PostgreSQL."""

from celery import shared_task

from orchestration import engine, host


@shared_task(name="orchestration.wake")
def wake() -> None:
    """Tell this process' engine that there is work."""
    host.wake()


@shared_task(name="orchestration.sweep_leases")
def sweep_leases() -> int:
    """The number of runs taken back from dead engines; the engines also look, this is for when none is alive."""
    return engine.sweep()
