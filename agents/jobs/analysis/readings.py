"""Sensor readings and their plain statistics, and what all items of a job's input have in common: a time, an asset.

The contract names no keys of these items, so each value is read under the names that such systems use.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean

from config.values.json_types import Json, JsonObject

MAX_NUMBER = 1e300  # beyond it sums and averages have no value, as NaN has none
STABLE_BAND = 0.05  # of the first value: a change within it is no trend (FACTS, Seed 002)
TIME_KEYS = ("timestamp", "ts", "time", "triggered_at", "created_at", "completed_at")
Item = Mapping[str, Json]


def first_value(item: Item, *names: str) -> Json:
    """The first of these values that the item has; None when it has none."""
    return next((item[name] for name in names if item.get(name) is not None), None)


def time_of(item: Item, *names: str) -> datetime | None:
    """The item's time, from ISO 8601 or seconds since 1970; None without a readable one."""
    value = first_value(item, *(names or TIME_KEYS))
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        time = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def number(value: Json) -> float | None:
    """The value as a finite number; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        result = float(value)
    except ValueError:
        return None
    return result if abs(result) < MAX_NUMBER else None


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
    result = []
    for item in items:
        value = number(first_value(item, "value", "reading", "v"))
        if value is None:
            continue
        parameter = str(first_value(item, "parameter_key", "parameter", "metric") or "")
        sensor = str(first_value(item, "sensor_id", "sensor", "sensor_tag") or parameter or "sensor")
        result.append(Reading(sensor, parameter, str(item.get("unit") or ""), value, time_of(item)))
    start = datetime.min.replace(tzinfo=UTC)
    return sorted(result, key=lambda reading: reading.at or start)


def by_sensor(rows: Iterable[Reading]) -> dict[str, list[Reading]]:
    """The readings of each sensor, in their order."""
    sensors: dict[str, list[Reading]] = {}
    for reading in rows:
        sensors.setdefault(reading.sensor, []).append(reading)
    return sensors


def trend(values: Sequence[float]) -> str:
    """rising, falling or stable, by the last value against the first; unknown with fewer than two."""
    if len(values) < 2:
        return "unknown"
    change, band = values[-1] - values[0], abs(values[0]) * STABLE_BAND
    if abs(change) <= band:
        return "stable"
    return "rising" if change > 0 else "falling"


def statistics(rows: Sequence[Reading]) -> JsonObject:
    """{min, max, avg, trend, last_value, readings_count} of one sensor; without readings the numbers are None."""
    values = [reading.value for reading in rows]
    return {
        "min": min(values, default=None),
        "max": max(values, default=None),
        "avg": round(fmean(values), 4) if values else None,
        "trend": trend(values),
        "last_value": values[-1] if values else None,
        "readings_count": len(values),
    }


def deviation(rows: Sequence[Reading]) -> float | None:
    """How far the last value is off the average, as a share of it; None with fewer than two, or an average of 0."""
    values = [reading.value for reading in rows]
    mean = fmean(values) if len(values) > 1 else 0.0
    return abs(values[-1] - mean) / abs(mean) if mean else None


def items_of_asset(items: Iterable[Item], asset_id: Json, asset_tag: Json = None) -> list[Item]:
    """The items of this asset; an item without asset is taken for one of it."""
    return [
        item
        for item in items
        if (item.get("asset_id") is None or str(item["asset_id"]) == str(asset_id) or asset_id is None)
        and (asset_tag is None or item.get("asset_tag") is None or item["asset_tag"] == asset_tag)
    ]
