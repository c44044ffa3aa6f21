"""The engine's Celery tasks. They carry no work and no state: runs live in PostgreSQL."""

from celery import shared_task

from orchestration.engine import celery_host, lease


@shared_task(name="orchestration.wake")
def wake() -> None:
    """Wake this process' engine: there is work."""
    celery_host.wake()


@shared_task(name="orchestration.sweep_leases")
def sweep_leases() -> int:
    """The number of runs taken back from dead engines; the engines also look, this is for when none is alive."""
    return lease.sweep()
