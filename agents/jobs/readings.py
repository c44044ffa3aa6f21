"""Sensor readings, alerts and work orders as jobs are given them, and the plain statistics over them.

The contract names no keys of their items, so each is read under the names that such systems use.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

LARGEST = 1e300  # beyond it sums and averages have no value, as NaN has none
STABLE_BAND = 0.05  # of the first value: a change within it is no trend (FACTS, Seed 002)
Item = Mapping[str, Any]


def first(item: Item, *names: str) -> Any:
    """The first of these that the item has."""
    return next((item[name] for name in names if item.get(name) is not None), None)


def moment(item: Item, *names: str) -> datetime | None:
    """When: ISO 8601 or seconds since 1970; None when nobody can tell."""
    value = first(item, *(names or ("timestamp", "ts", "time", "triggered_at", "created_at", "completed_at")))
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        found = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def number(value: Any) -> float | None:
    """The value as a finite number, if it is one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if abs(found) < LARGEST else None


@dataclass(frozen=True)
class Reading:
    """One value of a sensor."""

    sensor: str
    parameter: str
    unit: str
    value: float
    at: datetime | None


def readings(items: Iterable[Item]) -> list[Reading]:
    """The items that have a value, the oldest first; without times in the order in which they came."""
    found = []
    for item in items:
        value = number(first(item, "value", "reading", "v"))
        if value is None:
            continue
        parameter = str(first(item, "parameter_key", "parameter", "metric") or "")
        sensor = str(first(item, "sensor_id", "sensor", "sensor_tag") or parameter or "sensor")
        found.append(Reading(sensor, parameter, str(item.get("unit") or ""), value, moment(item)))
    begin = datetime.min.replace(tzinfo=UTC)
    return sorted(found, key=lambda reading: reading.at or begin)


def by_sensor(found: Iterable[Reading]) -> dict[str, list[Reading]]:
    """The readings of each sensor, in their order."""
    grouped: dict[str, list[Reading]] = {}
    for reading in found:
        grouped.setdefault(reading.sensor, []).append(reading)
    return grouped


def trend(values: Sequence[float]) -> str:
    """rising, falling or stable, by the last value against the first; unknown with fewer than two."""
    if len(values) < 2:
        return "unknown"
    change, band = values[-1] - values[0], abs(values[0]) * STABLE_BAND
    if abs(change) <= band:
        return "stable"
    return "rising" if change > 0 else "falling"


def statistics(found: Sequence[Reading]) -> dict[str, Any]:
    """{min, max, avg, trend, last_value, readings_count} of one sensor; the first four are None without readings."""
    values = [reading.value for reading in found]
    return {
        "min": min(values, default=None),
        "max": max(values, default=None),
        "avg": round(fmean(values), 4) if values else None,
        "trend": trend(values),
        "last_value": values[-1] if values else None,
        "readings_count": len(values),
    }


def deviation(found: Sequence[Reading]) -> float | None:
    """How far the last value is off the average, as a share of it; None when that says nothing."""
    values = [reading.value for reading in found]
    mean = fmean(values) if len(values) > 1 else 0.0
    return abs(values[-1] - mean) / abs(mean) if mean else None


def about(items: Iterable[Item], asset_id: Any, asset_tag: Any = None) -> list[Item]:
    """The items of this asset; an item that names none is taken for one of its own."""
    return [
        item
        for item in items
        if (item.get("asset_id") is None or str(item["asset_id"]) == str(asset_id) or asset_id is None)
        and (asset_tag is None or item.get("asset_tag") is None or item["asset_tag"] == asset_tag)
    ]
