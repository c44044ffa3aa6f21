"""The numbered evidence that a model is given about an alert, and which of it an answer cites."""

import re
from typing import Any

import orjson

NAMED = re.compile(r"\bE(\d{1,3})\b")
ORDER_KEYS = ("id", "number", "type", "status", "title", "description", "created_at", "completed_at")


class Evidence:
    """Sentences by their names E1, E2 …, made of what root_cause has found."""

    def __init__(self, facts: dict[str, Any]) -> None:
        lines = [*_readings(facts), *_threshold(facts["alert"])]
        lines += [f"work order {_short(order, ORDER_KEYS)}" for order in facts["work_orders"]]
        lines += [f"in the window before: {event}" for event in facts.get("events", ())]
        lines += [f"another alert within the hour before: {_short(other)}" for other in facts["alerts"]]
        self.lines = {f"E{number}": line for number, line in enumerate(lines, start=1)}


def _readings(facts: dict[str, Any]) -> list[str]:
    own = facts["telemetry"]
    if not own["readings_count"]:
        told = ["no readings of the alert's own sensor were given"]
    else:
        told = [f"sensor {own['sensor']}: {_statistics(own)}"]
    return told + [f"related sensor {one['sensor']}: {_statistics(one)}" for one in facts["related_sensors"]]


def _statistics(found: dict[str, Any]) -> str:
    unit = f" {found['unit']}" if found.get("unit") else ""
    return (
        f"{found['trend']} over {found['readings_count']} readings, last {found['last_value']:g}{unit}, "
        f"average {found['avg']:g}, from {found['min']:g} to {found['max']:g}"
    )


def _threshold(alert: dict[str, Any]) -> list[str]:
    if alert.get("current_value") is None or alert.get("threshold_value") is None:
        return []
    unit = f" {alert['unit']}" if alert.get("unit") else ""
    what = alert.get("parameter_key") or "the value"
    return [f"{what} is {alert['current_value']}{unit}, its threshold {alert['threshold_value']}{unit}"]


def _short(item: dict[str, Any], keys: tuple[str, ...] = ()) -> str:
    kept = {name: item[name] for name in keys if item.get(name) is not None} or dict(item)
    return orjson.dumps(kept, default=str).decode()[:500]


def cited(hypothesis: dict[str, Any], evidence: Evidence) -> list[str]:
    """The names of the evidence that a hypothesis rests on; those that there are."""
    found = (f"E{number}" for text in hypothesis["evidence"] for number in NAMED.findall(text))
    return [name for name in dict.fromkeys(found) if name in evidence.lines]
