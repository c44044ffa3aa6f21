"""The contract's words for the state of a task (seed 003), and queries by them."""

from django.db.models import Count, Q, QuerySet

from agents.code_tasks.program import KIND
from orchestration.models import FINAL, NEWEST_FIRST, Run, Status

STATES = ("pending", "running", "completed", "failed", "cancelled")


def task_state(run: Run) -> str:
    """The contract's word for the task's status; one that is being cancelled is cancelled."""
    if run.status in FINAL:
        return str(run.status)
    if run.cancel_requested:
        return "cancelled"
    return "pending" if run.status == Status.PENDING else "running"


def state_filter(state: str) -> Q:
    """The condition for tasks of which `task_state` returns this word."""
    cancelling = Q(cancel_requested=True) & ~Q(status__in=FINAL)
    if state == "cancelled":
        return Q(status=Status.CANCELLED) | cancelling
    statuses = [Status.RUNNING, Status.PAUSED] if state == "running" else [state]
    return Q(status__in=statuses) & ~cancelling


def count_states(rows: QuerySet[Run]) -> dict[str, int]:
    """{total, pending, running, completed, failed, cancelled} of these runs."""
    counts = {state: Count("pk", filter=state_filter(state)) for state in STATES}
    return rows.order_by().aggregate(total=Count("pk"), **counts)


def tasks_of(tenant_id: str) -> QuerySet[Run]:
    """The runs of the tenant's tasks, the newest first."""
    return Run.objects.for_tenant(tenant_id).filter(kind=KIND).order_by(*NEWEST_FIRST)
