"""What alert rules compare with their threshold, counted by the minute from what was recorded (seed 000 §12).

error_rate is the share of failed runs among those that began in the window; memory_usage the number of memories there
are; the others count what happened in the window.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncMinute

from config.rate_limits.request_counts import refusals
from governance.models import PolicyDecision
from memory.models import MemoryEntry
from observability.models import RuleType
from orchestration.kinds import internal_kinds
from orchestration.models import Run, RunEvent, Status

MIN_INTERVAL_CLOCKS_S = timedelta(minutes=5)  # by which the ids of runs may be older than their rows


class Minute(NamedTuple):
    """What one minute saw: how many of it count against the threshold, and of how many."""

    at: datetime
    bad: int
    all: int


@dataclass(frozen=True)
class Measurement:
    """A rule type: how it is counted, and what value that makes."""

    noun: str  # is counted
    count: Callable[[str, datetime, datetime], list[Minute]]
    rate: bool = False

    def value(self, minutes: list[Minute]) -> float:
        """What is compared with the threshold."""
        bad, all = sum(minute.bad for minute in minutes), sum(minute.all for minute in minutes)
        return round(bad / all, 6) if self.rate and all else float(bad) if not self.rate else 0.0

    def details(self, minutes: list[Minute]) -> dict[str, int]:
        """What the value was made of."""
        bad, all = sum(minute.bad for minute in minutes), sum(minute.all for minute in minutes)
        return {"failed": bad, "runs": all} if self.rate else {"count": bad}


def runs_between(tenant_id: str, since: datetime, until: datetime) -> QuerySet[Run]:
    """The runs of the tenant that began then; by their ids, which an index knows, and their times, which are exact."""
    oldest = UUID(int=int((since - MIN_INTERVAL_CLOCKS_S).timestamp() * 1000) << 80)
    rows = Run.objects.for_tenant(tenant_id).filter(id__gte=oldest, created_at__gte=since, created_at__lte=until)
    return rows.exclude(kind__in=internal_kinds())


def events_between(tenant_id: str, since: datetime, until: datetime) -> QuerySet[RunEvent]:
    """What exceeded a budget then."""
    rows = RunEvent.objects.for_tenant(tenant_id).filter(kind="budget_exceeded")
    return rows.filter(ts__gte=since, ts__lte=until)


def denials_between(tenant_id: str, since: datetime, until: datetime) -> QuerySet[PolicyDecision]:
    """What policies denied then."""
    rows = PolicyDecision.objects.for_tenant(tenant_id).filter(result="denied")
    return rows.filter(created_at__gte=since, created_at__lte=until)


def _by_minute(rows: QuerySet[Any], time: str, bad: Q | None = None) -> list[Minute]:
    minutes = rows.order_by().annotate(minute=TruncMinute(time)).values("minute")
    counts = minutes.annotate(all=Count("tenant_id"), bad=Count("tenant_id", filter=bad)).order_by("minute")
    return [Minute(row["minute"], row["bad"], row["all"]) for row in counts]


def _runs(tenant_id: str, since: datetime, until: datetime) -> list[Minute]:
    return _by_minute(runs_between(tenant_id, since, until), "created_at", Q(status=Status.FAILED))


def _budgets(tenant_id: str, since: datetime, until: datetime) -> list[Minute]:
    return _by_minute(events_between(tenant_id, since, until), "ts")


def _denials(tenant_id: str, since: datetime, until: datetime) -> list[Minute]:
    return _by_minute(denials_between(tenant_id, since, until), "created_at")


def _memories(tenant_id: str, since: datetime, until: datetime) -> list[Minute]:
    rows = MemoryEntry.objects.for_tenant(tenant_id).filter(created_at__lte=until)
    count = rows.filter(Q(expires_at=None) | Q(expires_at__gt=until)).count()
    return [Minute(until, count, count)]


def _blocks(tenant_id: str, since: datetime, until: datetime) -> list[Minute]:
    return [Minute(at, count, count) for at, count in refusals(tenant_id, since, until)]


MEASUREMENTS: dict[str, Measurement] = {
    RuleType.ERROR_RATE: Measurement("runs", _runs, rate=True),
    RuleType.BUDGET_EXCEEDED: Measurement("budgets exceeded", _budgets),
    RuleType.POLICY_DENIALS: Measurement("denials by policies", _denials),
    RuleType.MEMORY_USAGE: Measurement("memories", _memories),
    RuleType.RATE_LIMIT: Measurement("requests over a rate limit", _blocks),
}
