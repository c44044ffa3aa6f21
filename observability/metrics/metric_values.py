"""The values of metrics at one moment: ever, today and in the last day, and percentiles of durations."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from observability.metrics.queries import GROWTH, fetch_all

HOURS = 24  # of which the last one is not over


class MetricValue(NamedTuple):
    """How often, and the total in the metric's unit: ever and since midnight UTC; lately = the last 24 hours."""

    ever: int = 0
    total: float = 0.0
    today: int = 0
    total_today: float = 0.0
    lately: int = 0

    def plus(self, other: "MetricValue") -> "MetricValue":
        return MetricValue(*(one + more for one, more in zip(self, other, strict=True)))  # type: ignore[arg-type]


ZERO = MetricValue()


class MetricValues:
    """The values of some tenants' metrics at one moment, by metric and label (sql/rollups.sql lists them)."""

    def __init__(self, rows: Iterator[tuple[str, str, MetricValue]] | list[tuple[str, str, MetricValue]]) -> None:
        self.by_metric: dict[str, dict[str, MetricValue]] = defaultdict(dict)
        for metric, label, value in rows:
            self.by_metric[metric][label] = value

    def of(self, metric: str, *labels: str) -> MetricValue:
        """The value of these labels together; without labels of all."""
        by_label = self.by_metric.get(metric, {})
        counts = [by_label.get(label, ZERO) for label in labels] if labels else list(by_label.values())
        whole = ZERO
        for value in counts:
            whole = whole.plus(value)
        return whole

    def by(self, metric: str, part: str = "ever") -> dict[str, int]:
        """{label: how often}, without those that never were."""
        counts: Counter[str] = Counter()
        for label, value in self.by_metric.get(metric, {}).items():
            counts[label or "unknown"] += getattr(value, part)
        return {label: n for label, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if n}

    def average(self, metric: str, *labels: str) -> float:
        """The mean of the total; 0 when there is none."""
        value = self.of(metric, *labels)
        return ratio(value.total, value.ever)

    def percentile(self, metric: str, p: float) -> float:
        """The value that a share `p` of all is below or at: the upper edge of its bucket, at most a twentieth too
        high; 0 when nothing was measured.
        """
        buckets = sorted((int(label), value.ever) for label, value in self.by_metric.get(metric, {}).items())
        rank = math.ceil(p * sum(n for _, n in buckets))
        for bucket, n in buckets:
            rank -= n
            if rank <= 0:
                return round(GROWTH**bucket, 4)
        return 0.0


def ratio(part: float, whole: float) -> float:
    """part / whole to six digits, 0 of nothing."""
    return round(part / whole, 6) if whole else 0.0


def last_day_start(now: datetime) -> datetime:
    """When the last 24 hours began."""
    return now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)


def read_metrics(tenants: list[str], now: datetime) -> MetricValues:
    """The values of all metrics of these tenants at this moment."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    rows = fetch_all("read_metrics", tenants=tenants, today=midnight, since=last_day_start(now))
    return MetricValues([(row[0], row[1], _value(row)) for row in rows])


def _value(row: tuple[Any, ...]) -> MetricValue:
    return MetricValue(row[2], float(row[3] or 0), row[4], float(row[5]), row[6])
