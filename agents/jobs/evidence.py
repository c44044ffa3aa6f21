"""The numbered evidence that a model is given about an alert or an asset, and which of it an answer cites."""

import re
from typing import Any

from config.values.foreign_json import write_json

NAMED = re.compile(r"\bE(\d{1,3})\b")
ORDER_KEYS = ("id", "number", "type", "status", "title", "description", "created_at", "completed_at")


class Evidence:
    """Sentences by their names E1, E2 …"""

    def __init__(self, lines: list[str]) -> None:
        self.lines = {f"E{number}": line for number, line in enumerate(lines, start=1)}

    def cited(self, *texts: str) -> list[str]:
        """The names of the evidence that these texts rest on; those that there are."""
        return [name for name in _named(texts) if name in self.lines]

    def unfounded(self, where: str, *texts: str) -> list[str]:
        """What is wrong with the citations of these texts: there are none, or of evidence that was not given."""
        data = " ".join(self.lines.values())  # where a machine or a fault may be called so
        invented = [name for name in _named(texts) if name not in self.lines and not re.search(rf"\b{name}\b", data)]
        if invented:
            return [f"{where} cites {', '.join(invented)}, which was not given."]
        return [] if self.cited(*texts) else [f"{where} names none of the evidence E1 to E{len(self.lines)}."]


def _named(texts: tuple[str, ...]) -> list[str]:
    return list(dict.fromkeys(f"E{number}" for text in texts for number in NAMED.findall(text)))


def about_alert(facts: dict[str, Any]) -> Evidence:
    """What root_cause has found."""
    lines = [*_readings(facts), *_threshold(facts["alert"])]
    lines += [f"work order {_short(order, ORDER_KEYS)}" for order in facts["work_orders"]]
    lines += [f"in the window before: {event}" for event in facts.get("events", ())]
    lines += [f"another alert within the hour before: {_short(other)}" for other in facts["alerts"]]
    return Evidence(lines)


def about_risk(found: dict[str, Any]) -> Evidence:
    """What predictive has found."""
    risk, signals = found["risk"], found["signals"]
    lines = [f"the risk score is {risk['score']} of 100, {risk['level']}"]
    lines += [f"{driver['description']}: {driver['points']} points" for driver in risk["drivers"]]
    lines += [f"alerts: {signals['alerts_last_24h']} in the last 24 h, {signals['alerts_last_7d']} in the last 7 days"]
    lines += [f"corrective work orders: {signals['corrective_work_orders']}"]
    lines += [f"sensor {one['sensor']}: {_statistics(one)}" for one in signals["telemetry"] if one["readings_count"]]
    return Evidence(lines)


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
    return write_json(kept, default=str).decode()[:500]
