"""The usage of agent jobs by month: tokens and money, summed from the events of their model calls."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, FloatField, QuerySet, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce, TruncMonth
from django.utils import timezone

from agents.jobs.program import KIND
from orchestration.models import Run, RunEvent

CALL = "llm_call"
SUMS = {"prompt": "payload__usage__promptTokens", "completion": "payload__usage__completionTokens",
        "cents": "payload__estimated_cost_cents"}  # fmt: skip


@dataclass(frozen=True)
class Calls:
    """Model calls of a month: their number, tokens and cost in cents."""

    number: int = 0
    prompt: float = 0.0
    completion: float = 0.0
    cents: float = 0.0


@dataclass(frozen=True)
class MonthUsage:
    """The jobs of a month (YYYY-MM, in UTC) and their model calls."""

    month: str
    jobs: int
    llm_calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_cents: float

    @property
    def tokens_used(self) -> int:
        return self.prompt_tokens + self.completion_tokens


def usage_by_month(
    tenant_id: str, months: int, agent: str | None = None, model: str | None = None, user_id: UUID | None = None
) -> list[MonthUsage]:
    """The usage of each month that has jobs, the latest month first."""
    runs = Run.objects.for_tenant(tenant_id).filter(kind=KIND, created_at__gte=_start(months))
    if agent is not None:
        runs = runs.filter(subject_id=agent)
    if user_id is not None:
        runs = runs.filter(created_by=user_id)
    events = RunEvent.objects.for_tenant(tenant_id).filter(kind=CALL, run_id__in=runs.values("pk"))
    if model is not None:
        events = events.filter(payload__model=model)
        runs = runs.filter(pk__in=events.values("run_id"))
    jobs, calls = _jobs_by_month(runs), _calls_by_month(events)
    return [_month_usage(month, jobs[month], calls[month]) for month in sorted(jobs, reverse=True)]


def _start(months: int) -> datetime:
    """The first moment of the month that is so many back; 1 is the current month."""
    now = timezone.now().astimezone(UTC)
    month = now.year * 12 + now.month - months
    return datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)


def _jobs_by_month(runs: QuerySet[Run]) -> dict[datetime, int]:
    rows = runs.order_by().annotate(month=TruncMonth("created_at", tzinfo=UTC)).values("month")
    return {row["month"]: row["number"] for row in rows.annotate(number=Count("pk"))}


def _calls_by_month(events: QuerySet[RunEvent]) -> dict[datetime, Calls]:
    sums: dict[str, Any] = {name: Sum(Coalesce(Cast(KT(path), FloatField()), 0.0)) for name, path in SUMS.items()}
    rows = events.order_by().annotate(month=TruncMonth("run__created_at", tzinfo=UTC)).values("month")
    calls: dict[datetime, Calls] = defaultdict(Calls)
    for row in rows.annotate(number=Count("seq"), **sums):
        month = row.pop("month")
        calls[month] = Calls(**row)
    return calls


def _month_usage(month: datetime, jobs: int, calls: Calls) -> MonthUsage:
    tokens = round(calls.prompt), round(calls.completion)
    return MonthUsage(f"{month:%Y-%m}", jobs, calls.number, *tokens, round(calls.cents, 4))
