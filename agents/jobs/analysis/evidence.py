"""The numbered evidence that a model is given about an alert or an asset, and the citations of its answers."""

import re
from collections.abc import Iterable

from agents.jobs.analysis.alert_facts import AlertFacts
from agents.jobs.analysis.readings import Item
from config.values.foreign_json import write_json
from config.values.json_types import JsonObject

CITATION = re.compile(r"\bE(\d{1,3})\b")
ORDER_KEYS = ("id", "number", "type", "status", "title", "description", "created_at", "completed_at")
MAX_ITEM_LENGTH = 500  # characters of a work order or another alert in its line


class Evidence:
    """Sentences by their names E1, E2 …"""

    def __init__(self, lines: list[str]) -> None:
        self.lines = {f"E{number}": line for number, line in enumerate(lines, start=1)}

    def cited_names(self, texts: Iterable[str]) -> list[str]:
        """The names of evidence that these texts cite, without those that do not exist."""
        return [name for name in _citations(texts) if name in self.lines]

    def citation_problems(self, subject: str, texts: list[str]) -> list[str]:
        """Sentences about wrong citations in these texts: there are none, or of evidence that does not exist."""
        data = " ".join(self.lines.values())  # where a machine or a fault may be called so
        unknown = [name for name in _citations(texts) if name not in self.lines and not re.search(rf"\b{name}\b", data)]
        if unknown:
            return [f"{subject} cites {', '.join(unknown)}, which was not given."]
        if self.cited_names(texts):
            return []
        return [f"{subject} names none of the evidence E1 to E{len(self.lines)}."]


def _citations(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(f"E{number}" for text in texts for number in CITATION.findall(text)))


def alert_evidence(facts: AlertFacts) -> Evidence:
    """The evidence of root_cause."""
    lines = [*_sensor_lines(facts), *_threshold_lines(facts.alert)]
    lines += [f"work order {_item_text(order, ORDER_KEYS)}" for order in facts.work_orders]
    lines += [f"in the window before: {event}" for event in facts.events]
    lines += [f"another alert within the hour before: {_item_text(other)}" for other in facts.alerts]
    return Evidence(lines)


def risk_evidence(assessment: JsonObject) -> Evidence:
    """The evidence of predictive."""
    risk, signals = assessment["risk"], assessment["signals"]
    lines = [f"the risk score is {risk['score']} of 100, {risk['level']}"]
    lines += [f"{driver['description']}: {driver['points']} points" for driver in risk["drivers"]]
    lines += [f"alerts: {signals['alerts_last_24h']} in the last 24 h, {signals['alerts_last_7d']} in the last 7 days"]
    lines += [f"corrective work orders: {signals['corrective_work_orders']}"]
    sensors = [sensor for sensor in signals["telemetry"] if sensor["readings_count"]]
    lines += [f"sensor {sensor['sensor']}: {_statistics_text(sensor)}" for sensor in sensors]
    return Evidence(lines)


def _sensor_lines(facts: AlertFacts) -> list[str]:
    own = facts.telemetry
    line = "no readings of the alert's own sensor were given"
    if own["readings_count"]:
        line = f"sensor {own['sensor']}: {_statistics_text(own)}"
    related = [f"related sensor {sensor['sensor']}: {_statistics_text(sensor)}" for sensor in facts.related_sensors]
    return [line, *related]


def _statistics_text(sensor: JsonObject) -> str:
    unit = f" {sensor['unit']}" if sensor.get("unit") else ""
    return (
        f"{sensor['trend']} over {sensor['readings_count']} readings, last {sensor['last_value']:g}{unit}, "
        f"average {sensor['avg']:g}, from {sensor['min']:g} to {sensor['max']:g}"
    )


def _threshold_lines(alert: JsonObject) -> list[str]:
    if alert.get("current_value") is None or alert.get("threshold_value") is None:
        return []
    unit = f" {alert['unit']}" if alert.get("unit") else ""
    name = alert.get("parameter_key") or "the value"
    return [f"{name} is {alert['current_value']}{unit}, its threshold {alert['threshold_value']}{unit}"]


def _item_text(item: Item, keys: tuple[str, ...] = ()) -> str:
    values = {name: item[name] for name in keys if item.get(name) is not None} or dict(item)
    return write_json(values, default=str).decode()[:MAX_ITEM_LENGTH]
