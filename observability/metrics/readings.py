"""Reads the rollups: how often things were, ever, today and in the last day, and percentiles of how long they took."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection

from observability.metrics import facts

HOURS = 24  # of which the last one is not over
# In one statement, and so of one moment: what is rolled up, the runs that are not over, and those whose end is not
# rolled up yet. Else a run that ends just now would be missing, and a total that shrinks looks like a restart.
READ = f"""
WITH run AS (
    {facts.GOING_ON}
    UNION ALL {facts.ended("observability_uncounted")} AND u.tenant_id = ANY(%(tenants)s)
), told AS (
    SELECT measure, label, hour, n, total FROM observability_rollup WHERE tenant_id = ANY(%(tenants)s)
    UNION ALL SELECT measure, label, hour, n, total FROM ({facts.RUNS.format("run")}) AS runs
)
SELECT measure, label, sum(n)::bigint AS ever, sum(total) AS total,
    coalesce(sum(n) FILTER (WHERE hour >= %(today)s), 0)::bigint AS today,
    coalesce(sum(total) FILTER (WHERE hour >= %(today)s), 0) AS total_today,
    coalesce(sum(n) FILTER (WHERE hour >= %(since)s), 0)::bigint AS lately
FROM told GROUP BY measure, label
"""


class Count(NamedTuple):
    """How often, and the sum of what was measured: ever, since midnight UTC, in this hour and the 23 before it."""

    ever: int = 0
    total: float = 0.0
    today: int = 0
    total_today: float = 0.0
    lately: int = 0

    def plus(self, other: "Count") -> "Count":
        """Both."""
        return Count(*(one + more for one, more in zip(self, other, strict=True)))  # type: ignore[arg-type]


NEVER = Count()


class Figures:
    """All counts of some tenants at one moment, by measure and label (observability/metrics/facts.py lists them)."""

    def __init__(self, rows: Iterator[tuple[str, str, Count]] | list[tuple[str, str, Count]]) -> None:
        self.by_measure: dict[str, dict[str, Count]] = defaultdict(dict)
        for measure, label, count in rows:
            self.by_measure[measure][label] = count

    def of(self, measure: str, *labels: str) -> Count:
        """The count of these labels together; without labels of all."""
        found = self.by_measure.get(measure, {})
        counts = [found.get(label, NEVER) for label in labels] if labels else list(found.values())
        whole = NEVER
        for count in counts:
            whole = whole.plus(count)
        return whole

    def by(self, measure: str, part: str = "ever") -> dict[str, int]:
        """Label → how often; those that never were are left out."""
        found: Counter[str] = Counter()
        for label, count in self.by_measure.get(measure, {}).items():
            found[label or "unknown"] += getattr(count, part)
        return {label: n for label, n in sorted(found.items(), key=lambda item: (-item[1], item[0])) if n}

    def average(self, measure: str, *labels: str) -> float:
        """The mean of what was measured; 0 when nothing was."""
        count = self.of(measure, *labels)
        return share(count.total, count.ever)

    def percentile(self, measure: str, p: float) -> float:
        """The value that a share `p` of all is below or at: the upper edge of its bucket, at most a twentieth too
        high; 0 when nothing was measured.
        """
        buckets = sorted((int(label), count.ever) for label, count in self.by_measure.get(measure, {}).items())
        rank = math.ceil(p * sum(n for _, n in buckets))
        for bucket, n in buckets:
            rank -= n
            if rank <= 0:
                return round(facts.GROWTH**bucket, 4)
        return 0.0


def share(part: float, whole: float) -> float:
    """part / whole to six digits, 0 of nothing."""
    return round(part / whole, 6) if whole else 0.0


def since(now: datetime) -> datetime:
    """When the last 24 hours began."""
    return now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)


def read(tenants: list[str], now: datetime) -> Figures:
    """The figures of these tenants at this moment."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    asked: Any = {"tenants": tenants, "today": midnight, "since": since(now)}
    with connection.cursor() as cursor:
        cursor.execute(READ, asked)
        return Figures([(row[0], row[1], _count(row)) for row in cursor.fetchall()])


def _count(row: tuple[Any, ...]) -> Count:
    return Count(row[2], float(row[3] or 0), row[4], float(row[5]), row[6])
