"""What is due from time to time: counting, checking the alert rules, forgetting what is old."""

from celery import shared_task

from config.rate_limits.request_counts import TrafficUnknown
from observability.alerts import rule_evaluation
from observability.metrics import rollups


@shared_task(name="observability.check_alerts")
def check_alerts() -> int:
    """The number of alerts that have fired."""
    return rule_evaluation.check_all()


@shared_task(name="observability.forget_alerts")
def forget_alerts() -> int:
    """The number of alerts that were too old to keep."""
    return rule_evaluation.forget_old()


@shared_task(name="observability.count")
def count() -> int:
    """The number of events and decisions that the rollups have counted."""
    return rollups.count_all()


@shared_task(name="observability.count_requests")
def count_requests(hours: int = rollups.HOURS_OPEN) -> int:
    """The number of sums of requests that were looked at."""
    try:
        return rollups.count_requests(hours=hours)
    except TrafficUnknown:  # a later one fetches it: Redis keeps a day
        return 0


@shared_task(name="observability.merge_rollups")
def merge_rollups() -> int:
    """The number of rollups by the hour that were old enough to become part of their day's."""
    return rollups.merge_old()
