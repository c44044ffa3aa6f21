"""Rollups: events and decisions added up by the hour, each once, however many processes count.

One process counts at a time; another one that comes meanwhile leaves it to that one. The outbox's rows go in the
transaction that adds up what they name. Requests are stored as Redis counts them for the hour.
"""

import time
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Tenant
from config.rate_limits import request_counts
from observability.metrics.queries import QUERIES, run_alone

MAX_BATCH = 20_000  # rows of the outbox in one transaction
MAX_DURATION_S = 4.0  # of one count_all: the scheduler's next one goes on
DAYS_BY_HOUR = 8
HOURS_OPEN = 1  # besides this one: Redis keeps a day, of which the scheduler fetches all once an hour


def count() -> int:
    """Add up at most MAX_BATCH events and decisions; their number."""
    return run_alone("count_outbox", max_batch=MAX_BATCH)


def count_all() -> int:
    """The same, until the outbox is empty or MAX_DURATION_S is over."""
    total, start = 0, time.monotonic()
    while (batch := count()) and time.monotonic() - start < MAX_DURATION_S:
        total += batch
    return total + batch


def count_requests(tenants: Iterable[str] | None = None, hours: int = HOURS_OPEN) -> int:
    """Store what Redis has counted in this hour and so many before it; raises TrafficUnknown while Redis is away."""
    tenant_ids = all_tenants() if tenants is None else tenants
    rows = [
        (tenant_id, "requests" if name == request_counts.PASS else "requests.blocked", _label(name), hour, n)
        for tenant_id, hour, counts in request_counts.by_hour(
            tenant_ids, request_counts.hours_back(timezone.now(), hours)
        )
        for name, n in counts.items()
    ]
    with transaction.atomic(), connection.cursor() as cursor:  # in one order, so that two of these never deadlock
        names = ("tenant", "metric", "label", "hour", "n")
        cursor.executemany(QUERIES["set_requests"], [dict(zip(names, row, strict=True)) for row in sorted(rows)])
    return len(rows)


def all_tenants() -> list[str]:
    """The ids of all tenants, and "" for requests without a tenant."""
    return ["", *Tenant.objects.order_by("pk").values_list("pk", flat=True)]


def _label(name: str) -> str:
    return "" if name == request_counts.PASS else name


def merge_old() -> int:
    """Add up the hours of days that are longer ago than DAYS_BY_HOUR; the number of rollups merged."""
    return run_alone("merge_days", before=_midnight(timezone.now()) - timedelta(days=DAYS_BY_HOUR))


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
