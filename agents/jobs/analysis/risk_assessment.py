"""The risk that an asset fails: a score that adds up from drivers, and the work order that it proposes."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from agents.jobs.analysis.readings import (
    Item,
    Reading,
    by_sensor,
    deviation,
    first_value,
    items_of_asset,
    readings,
    statistics,
    time_of,
)
from config.http.fields import iso
from config.values.json_types import JsonObject

MAX_SCORE = 100
MIN_ORDER_SCORE = 60  # from here on a work order is proposed
MAX_DEVIATION = 0.3  # of a sensor's average: beyond it the last value counts as off
LEVELS = ((70, "high"), (50, "medium"), (30, "low"), (0, "minimal"))  # (the least score, its name)
CORRECTIVE = frozenset({"CORRECTIVE", "CM"})
CLOSED_STATUSES = frozenset({"resolved", "closed", "cleared"})
PLURAL = re.compile(r"\b(alert|order|sensor)s\b")


@dataclass(frozen=True)
class RiskInput:
    """predictive's input."""

    asset_id: int | str
    telemetry_window_days: int
    corrective_lookback_days: int
    asset: JsonObject = field(default_factory=dict)
    alerts: Sequence[Item] = ()
    readings: Sequence[Item] = ()
    work_orders: Sequence[Item] = ()


@dataclass(frozen=True)
class Driver:
    """What adds points to the score."""

    factor: str
    count: int
    points: int
    description: str


@dataclass(frozen=True)
class History:
    """What counts of the asset's history: alerts of seven days and of one, readings, corrective work orders."""

    alerts: list[Item]
    alerts_of_day: list[Item]
    sensors: dict[str, list[Reading]]
    corrective_orders: list[Item]


def assess_risk(input: RiskInput, now: datetime) -> JsonObject:
    """{as_of, asset, risk: {score, level, drivers}, signals, recommended_work_order} as of now (seed 002)."""
    asset = {"tag": None} | input.asset | {"id": input.asset_id}
    history = _history(input, asset, now)
    drivers = _drivers(history, input.corrective_lookback_days)
    score = min(sum(driver.points for driver in drivers), MAX_SCORE)
    level = next(name for least, name in LEVELS if score >= least)
    return {
        "as_of": iso(now),
        "asset": asset,
        "risk": {"score": score, "level": level, "drivers": [asdict(driver) for driver in drivers]},
        "signals": {
            "alerts_last_24h": len(history.alerts_of_day),
            "alerts_last_7d": len(history.alerts),
            "corrective_work_orders": len(history.corrective_orders),
            "telemetry_window_days": input.telemetry_window_days,
            "telemetry": [
                {"sensor": name, "unit": rows[0].unit} | statistics(rows) for name, rows in history.sensors.items()
            ],
        },
        "recommended_work_order": _work_order(asset, score, level, drivers),
    }


def _history(input: RiskInput, asset: JsonObject, now: datetime) -> History:
    def of_asset(items: Sequence[Item]) -> list[Item]:
        return items_of_asset(items, asset["id"], asset["tag"])

    alerts = _since(of_asset(input.alerts), now - timedelta(days=7), "triggered_at", "created_at")
    start = now - timedelta(days=input.telemetry_window_days)
    rows = [reading for reading in readings(of_asset(input.readings)) if reading.at is None or reading.at >= start]
    lookback = now - timedelta(days=input.corrective_lookback_days)
    orders = [
        order
        for order in _since(of_asset(input.work_orders), lookback, "created_at")
        if str(first_value(order, "type", "kind") or "").upper() in CORRECTIVE
    ]
    alerts_of_day = _since(alerts, now - timedelta(days=1), "triggered_at", "created_at")
    return History(alerts, alerts_of_day, by_sensor(rows), orders)


def _since(items: list[Item], start: datetime, *names: str) -> list[Item]:
    """The items of since then; one without a time counts."""
    return [item for item in items if (at := time_of(item, *names)) is None or at >= start]


def _is_open(alert: Item) -> bool:
    if isinstance(alert.get("resolved"), bool):
        return not alert["resolved"]
    return alert.get("resolved_at") is None and str(alert.get("status") or "").lower() not in CLOSED_STATUSES


def _drivers(history: History, lookback_days: int) -> list[Driver]:
    """The drivers of a count above 0; points and their limits as FACTS, Seed 002, has them."""
    critical = sum(str(alert.get("severity") or "").lower() == "critical" for alert in history.alerts)
    open_alerts = sum(_is_open(alert) for alert in history.alerts)
    off_average = sum((deviation(rows) or 0) > MAX_DEVIATION for rows in history.sensors.values())
    today, orders = len(history.alerts_of_day), len(history.corrective_orders)
    older = len(history.alerts) - today
    drivers = (
        _driver("alerts_last_24h", today, 15, 40, "alerts in the last 24 hours"),
        _driver("critical_alerts", critical, 20, 30, "critical alerts in the last 7 days"),
        _driver("alerts_last_7d", older, 5, 20, "older alerts of the last 7 days"),
        _driver("unresolved_alerts", open_alerts, 5, 15, "unresolved alerts"),
        _driver("corrective_work_orders", orders, 8, 25, f"corrective work orders in the last {lookback_days} days"),
        _driver("telemetry_off_average", off_average, 10, 10, "sensors more than 30 % off their average"),
    )
    return [driver for driver in drivers if driver.points]


def _driver(factor: str, count: int, points_each: int, max_points: int, noun: str) -> Driver:
    noun = PLURAL.sub(lambda match: match[1], noun) if count == 1 else noun
    return Driver(factor, count, min(points_each * count, max_points), f"{count} {noun}")


def _work_order(asset: JsonObject, score: int, level: str, drivers: list[Driver]) -> JsonObject | None:
    """The work order that is proposed; None below the score for one."""
    if score < MIN_ORDER_SCORE:
        return None
    name = asset.get("tag") or asset["id"]
    reasons = "; ".join(driver.description for driver in drivers)
    return {
        "should_create": True,
        "type": "PREDICTIVE",
        "priority": "HIGH" if level == "high" else "MEDIUM",
        "title": f"Inspect {name}: failure risk {score} of 100",
        "description": f"The risk that {name} fails is {level} ({score} of 100): {reasons}.",
        "asset_id": asset["id"],
        "asset_tag": asset["tag"] or "",
    }
