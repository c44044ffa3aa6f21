"""Rollups: what happened is added up by the hour, each thing once, however often and by whomever it is asked for.

The outbox's rows go in the transaction that adds up what they name. Requests are kept as Redis counts them for the
hour.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Tenant
from config import traffic
from observability import facts

LOCK = 0x524F4C4C  # one counts at a time
TAKEN_MOST = 20_000
DAYS_BY_HOUR = 31
# Redis keeps a day; whatever hour was missed in it, because nothing ran, is fetched too.
HOURS_KEPT, HOURS_OPEN = 23, 1

_ADD = """
INSERT INTO observability_rollup AS r (tenant_id, measure, label, hour, n, total)
SELECT tenant_id, measure, label, hour, sum(n), sum(total) FROM {rows}
GROUP BY tenant_id, measure, label, hour ORDER BY tenant_id, measure, label, hour
ON CONFLICT (tenant_id, measure, label, hour) DO UPDATE SET n = r.n + excluded.n, total = r.total + excluded.total
"""
COUNT = f"""
WITH taken AS (
    DELETE FROM observability_uncounted
    WHERE id IN (SELECT id FROM observability_uncounted ORDER BY id LIMIT {TAKEN_MOST})
    RETURNING id, run_id, seq, decision_id
), event AS (
    SELECT e.tenant_id, date_trunc('hour', e.ts, 'UTC') AS hour, e.kind, e.payload
    FROM taken JOIN orchestration_runevent e USING (run_id, seq)
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
ON CONFLICT (tenant_id, measure, label, hour) DO UPDATE SET n = greatest(r.n, excluded.n)
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
    """The same, until nothing is left."""
    counted = 0
    while some := count():
        counted += some
    return counted


def _alone(statement: str, *values: Any) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute(statement, values or None)
        row = cursor.fetchone()
    return int(row[0])


def count_requests(tenants: Iterable[str] | None = None, hours: int = HOURS_OPEN) -> int:
    """Keep what Redis has counted in this hour and so many before it; raises TrafficUnknown while Redis is away."""
    named = Tenant.objects.values_list("pk", flat=True) if tenants is None else tenants
    rows = [
        (tenant_id, "requests" if name == traffic.PASSED else "requests.blocked", _label(name), hour, n)
        for tenant_id, hour, kept in traffic.by_hour(named, traffic.hours_back(timezone.now(), hours))
        for name, n in kept.items()
    ]
    with connection.cursor() as cursor:
        cursor.executemany(REQUESTS, sorted(rows))
    return len(rows)


def _label(name: str) -> str:
    return "" if name == traffic.PASSED else name


def merge_old() -> int:
    """How many rollups by the hour have become part of their day's."""
    return _alone(BY_DAY, _midnight(timezone.now()) - timedelta(days=DAYS_BY_HOUR))


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
