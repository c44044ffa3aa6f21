"""What agent jobs have used, by month: tokens and money from the model calls that their events tell of."""

from collections import defaultdict
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


def monthly(
    tenant_id: str, months: int, agent: str | None = None, model: str | None = None, user_id: UUID | None = None
) -> list[dict[str, Any]]:
    """[{month, jobs, llm_calls, prompt_tokens, completion_tokens, tokens_used, cost_cents}], the latest month first."""
    runs = Run.objects.for_tenant(tenant_id).filter(kind=KIND, created_at__gte=_begin(months))
    if agent is not None:
        runs = runs.filter(subject_id=agent)
    if user_id is not None:
        runs = runs.filter(created_by=user_id)
    calls = RunEvent.objects.for_tenant(tenant_id).filter(kind=CALL, run_id__in=runs.values("pk"))
    if model is not None:
        calls = calls.filter(payload__model=model)
        runs = runs.filter(pk__in=calls.values("run_id"))
    return _rows(runs, calls)


def _begin(months: int) -> datetime:
    """The first moment of the month that is so many back, this one counted."""
    now = timezone.now().astimezone(UTC)
    at = now.year * 12 + now.month - months
    return datetime(at // 12, at % 12 + 1, 1, tzinfo=UTC)


def _rows(runs: QuerySet[Run], calls: QuerySet[RunEvent]) -> list[dict[str, Any]]:
    found: dict[datetime, dict[str, Any]] = defaultdict(dict)
    month = TruncMonth("created_at", tzinfo=UTC)
    counted = runs.order_by().annotate(month=month).values("month").annotate(number=Count("pk"))
    jobs = {row["month"]: row["number"] for row in counted}
    sums = {name: Sum(Coalesce(Cast(KT(path), FloatField()), 0.0)) for name, path in SUMS.items()}
    told = calls.order_by().annotate(month=TruncMonth("run__created_at", tzinfo=UTC)).values("month")
    for row in told.annotate(calls=Count("seq"), **sums):
        found[row["month"]] = dict(row)
    return [_row(at, jobs[at], found[at]) for at in sorted(jobs, reverse=True)]


def _row(at: datetime, jobs: int, sums: dict[str, Any]) -> dict[str, Any]:
    prompt, completion = round(sums.get("prompt") or 0), round(sums.get("completion") or 0)
    return {
        "month": f"{at:%Y-%m}",
        "jobs": jobs,
        "llm_calls": sums.get("calls", 0),
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "tokens_used": prompt + completion,
        "cost_cents": round(sums.get("cents") or 0, 4),
    }
