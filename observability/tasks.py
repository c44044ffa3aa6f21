"""What is due from time to time: checking the alert rules, forgetting old alerts."""

from celery import shared_task

from observability import alerts


@shared_task(name="observability.check_alerts")
def check_alerts() -> int:
    """The number of alerts that have fired."""
    return alerts.check_all()


@shared_task(name="observability.forget_alerts")
def forget_alerts() -> int:
    """The number of alerts that were too old to keep."""
    return alerts.forget_old()
