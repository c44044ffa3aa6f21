"""Rollups: what happened is added up by the hour, each thing once, however often and by whomever it is asked for.

One counts at a time; who comes meanwhile leaves it to that one.

The outbox's rows go in the transaction that adds up what they name. Requests are kept as Redis counts them for the
hour.
"""

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Tenant
from config.rate_limits import request_counts
from observability.metrics import facts

LOCK = 0x524F4C4C
MAX_CLAIMED, LONG_S = 20_000, 4.0
DAYS_BY_HOUR = 8
HOURS_OPEN = 1  # besides this one: Redis keeps a day, of which the scheduler fetches all once an hour

_ADD = """
INSERT INTO observability_rollup AS r (tenant_id, measure, label, hour, n, total)
SELECT tenant_id, measure, label, hour, sum(n), sum(total) FROM {rows}
GROUP BY tenant_id, measure, label, hour ORDER BY tenant_id, measure, label, hour
ON CONFLICT (tenant_id, measure, label, hour) DO UPDATE SET n = r.n + excluded.n, total = r.total + excluded.total
"""
COUNT = f"""
WITH taken AS (
    DELETE FROM observability_uncounted
    WHERE id IN (SELECT id FROM observability_uncounted ORDER BY id LIMIT {MAX_CLAIMED})
    RETURNING id, run_id, seq, ends, decision_id
), event AS (
    SELECT e.tenant_id, date_trunc('hour', e.ts, 'UTC') AS hour, e.kind, e.payload FROM taken u {facts.EVENT}
), ended AS ({facts.ended("taken")}), counted AS (
    {facts.RUNS.format("ended")}
    UNION ALL {facts.STEPS}
    UNION ALL {facts.CALLS}
    UNION ALL {facts.TOOLS}
    UNION ALL {facts.OTHERS}
    UNION ALL {facts.DECISIONS}
), added AS ({_ADD.format(rows="counted")})
SELECT count(*) FROM taken
"""
# An hour's number only grows: a Redis that came back empty takes nothing back.
REQUESTS = """
INSERT INTO observability_rollup AS r (tenant_id, measure, label, hour, n, total) VALUES (%s, %s, %s, %s, %s, 0)
ON CONFLICT (tenant_id, measure, label, hour) DO UPDATE SET n = excluded.n WHERE r.n < excluded.n
"""
BY_DAY = f"""
WITH old AS (
    DELETE FROM observability_rollup WHERE hour < %s AND hour <> date_trunc('day', hour, 'UTC')
    RETURNING tenant_id, measure, label, date_trunc('day', hour, 'UTC') AS hour, n, total
), added AS ({_ADD.format(rows="old")})
SELECT count(*) FROM old
"""


def count() -> int:
    """How many events and decisions were counted; the rest, when there are very many, is the next call's."""
    return _alone(COUNT)


def count_all() -> int:
    """The same, until nothing is left or it has taken long."""
    counted, began = 0, time.monotonic()
    while (some := count()) and time.monotonic() - began < LONG_S:
        counted += some
    return counted + some


def _alone(statement: str, *values: Any) -> int:
    """The number that the statement answers; 0 while another one is at it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if cursor.fetchone() == (False,):
            return 0
        cursor.execute(statement, values or None)
        row = cursor.fetchone()
    return int(row[0])


def count_requests(tenants: Iterable[str] | None = None, hours: int = HOURS_OPEN) -> int:
    """Keep what Redis has counted in this hour and so many before it; raises TrafficUnknown while Redis is away."""
    named = everyone() if tenants is None else tenants
    rows = [
        (tenant_id, "requests" if name == request_counts.PASS else "requests.blocked", _label(name), hour, n)
        for tenant_id, hour, kept in request_counts.by_hour(named, request_counts.hours_back(timezone.now(), hours))
        for name, n in kept.items()
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(REQUESTS, sorted(rows))
    return len(rows)


def everyone() -> list[str]:
    """All tenants, and "" for requests of nobody known."""
    return ["", *Tenant.objects.order_by("pk").values_list("pk", flat=True)]


def _label(name: str) -> str:
    return "" if name == request_counts.PASS else name


def merge_old() -> int:
    """How many rollups by the hour have become part of their day's."""
    return _alone(BY_DAY, _midnight(timezone.now()) - timedelta(days=DAYS_BY_HOUR))


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
