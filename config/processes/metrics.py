"""Counters and histograms that all processes of the product share, and the text of `/metrics`.

A process counts in its own memory; config/processes/reports.py adds its counts to one hash in Redis, so that a scrape
sees all processes, wherever they run, and a total does not fall when one of them ends. Labels are of bounded number: no
tenant, run, or anything that a tenant names.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import Metric

SHARED = CollectorRegistry()
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LATENCY_S = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 10)
Families = Callable[[], Iterable[Metric]]
FAMILIES: list[Families] = []  # what is read at each scrape


def counter(name: str, help: str, labels: Iterable[str] = ()) -> Counter:
    """A counter of all processes; its samples are called `name` + _total."""
    return Counter(name, help, tuple(labels), registry=SHARED)


def histogram(name: str, help: str, labels: Iterable[str] = (), buckets: Iterable[float] = LATENCY_S) -> Histogram:
    """A histogram of all processes."""
    return Histogram(name, help, tuple(labels), registry=SHARED, buckets=tuple(buckets))


def at_scrape(families: Families) -> Families:
    """Register the function: what it returns stands in `/metrics` as it is at that moment."""
    FAMILIES.append(families)
    return families


def gauge(name: str, help: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> Metric:
    """A gauge with these samples."""
    family = Metric(name, help, "gauge")
    for labels, value in samples:
        family.add_sample(name, dict(labels), value)
    return family


def local_totals() -> dict[bytes, float]:
    """The totals of this process: sample (its name and labels as JSON) → value."""
    return {
        orjson.dumps([sample.name, sample.labels]): sample.value
        for family in SHARED.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def exposition(totals: Mapping[bytes, float]) -> bytes:
    """Prometheus' text of these totals, and of what the registered functions return now."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families([*_shared(totals), *(family for read in FAMILIES for family in read())]))  # type: ignore[arg-type]
    return generate_latest(registry)


def _shared(totals: Mapping[bytes, float]) -> list[Metric]:
    """The shared families with their totals. A sample that no process of this release counts is left out."""
    families: list[Metric] = []
    of_sample: dict[str, Metric] = {}
    for local in SHARED.collect():
        family = Metric(local.name, local.documentation, local.type)
        families.append(family)
        names = ("_bucket", "_count", "_sum") if local.type == "histogram" else ("_total",)
        of_sample |= {f"{local.name}{end}": family for end in names}
    zeros = {
        key: 0.0 for key, value in local_totals().items() if value == 0
    }  # what has no labels is there from the start
    rows: list[tuple[str, dict[str, str], float]] = []
    for key, value in {**zeros, **totals}.items():
        name, labels = orjson.loads(key)
        if name in of_sample:
            rows.append((name, labels, value))
    for name, labels, value in sorted(rows, key=_order):
        of_sample[name].add_sample(name, labels, value)
    return families


def _order(row: tuple[str, dict[str, str], float]) -> tuple[Any, ...]:
    """Series by series, the buckets of each by their limit, then its count and sum."""
    name, labels, _ = row
    series = sorted((label, value) for label, value in labels.items() if label != "le")
    return series, name, float(labels.get("le", "inf"))


class _Families:
    def __init__(self, families: list[Metric]) -> None:
        self.families = families

    def collect(self) -> list[Metric]:
        return self.families
