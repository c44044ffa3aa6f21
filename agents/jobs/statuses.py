"""The contract's words for the status of a job (seed 002)."""

from django.db.models import Q

from orchestration.models import Run, Status

TIMEOUT = "timeout"
WORDS = {Status.COMPLETED: "succeeded", Status.PAUSED: "running"}
STATUSES = ("pending", "running", "succeeded", "failed", TIMEOUT, "cancelled")


def status_word(run: Run) -> str:
    """The contract's word for the job's status."""
    if run.status == Status.FAILED and run.failure_reason == TIMEOUT:
        return TIMEOUT
    return str(WORDS.get(Status(run.status), run.status))


def status_filter(status: str) -> Q:
    """The condition for jobs of this status, a word of the contract."""
    if status == TIMEOUT:
        return Q(status=Status.FAILED, failure_reason=TIMEOUT)
    if status == Status.FAILED:
        return Q(status=Status.FAILED) & ~Q(failure_reason=TIMEOUT)
    statuses = {"succeeded": [Status.COMPLETED], "running": [Status.RUNNING, Status.PAUSED]}
    return Q(status__in=statuses.get(status, [status]))
