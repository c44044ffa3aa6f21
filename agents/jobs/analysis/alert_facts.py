"""The facts about an alert: statistics of its sensors, work orders, events and other alerts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agents.jobs.analysis.readings import (
    Item,
    Reading,
    by_sensor,
    first_value,
    items_of_asset,
    readings,
    statistics,
    time_of,
)
from agents.jobs.registry import JobFailed
from config.http.fields import iso
from config.values.json_types import JsonObject

MAX_SENSORS = 5  # besides the alert's own: their statistics are context, and each takes a line of the prompt
OTHER_ALERTS_MINUTES = 60
ALERT_KEYS = (
    *("id", "severity", "asset_tag", "parameter_key", "current_value", "threshold_value", "unit", "triggered_at"),
    "description",
)


@dataclass(frozen=True)
class AlertInput:
    """root_cause's input; `events` are sentences, for alerts of our own only."""

    alert_id: int | str
    window_minutes: int
    max_readings: int
    max_work_orders: int
    alert: JsonObject = field(default_factory=dict)
    readings: Sequence[Item] = ()
    work_orders: Sequence[Item] = ()
    alerts: Sequence[Item] = ()
    events: Sequence[str] = ()


@dataclass(frozen=True)
class AlertFacts:
    """`telemetry` are the statistics of the alert's own sensor, `related_sensors` those of others of the asset."""

    alert: JsonObject
    telemetry: JsonObject
    related_sensors: list[JsonObject]
    work_orders: list[Item]
    alerts: list[Item]
    events: list[str]


def alert_facts(input: AlertInput) -> AlertFacts:
    """The facts in the window before the alert; JobFailed without the alert, or for one of another id."""
    alert = input.alert
    _check_alert(input)
    asset = alert.get("asset_id"), alert.get("asset_tag")
    end = time_of(alert, "triggered_at", "created_at", "timestamp")
    telemetry, related_sensors = _sensor_statistics(input, end)
    orders = items_of_asset(input.work_orders, *asset)
    orders = sorted(orders, key=lambda order: iso(time_of(order)) or "", reverse=True)[: input.max_work_orders]
    alerts = [
        other
        for other in items_of_asset(input.alerts, *asset)
        if other.get("id") != alert.get("id")
        and _is_within(time_of(other, "triggered_at", "created_at"), end, OTHER_ALERTS_MINUTES)
    ]
    summary = {name: alert.get(name) for name in ALERT_KEYS} | {"id": input.alert_id, "asset_id": asset[0]}
    return AlertFacts(summary, telemetry, related_sensors, orders, alerts, list(input.events))


def _check_alert(input: AlertInput) -> None:
    if not input.alert:
        raise JobFailed(
            f"Alert {input.alert_id} not found: send it as input.alert, with its readings and work_orders. (Of the "
            "alerts in GET /api/v1/alerts/history developers and admins may ask by number.)"
        )
    id = input.alert.get("id")
    if id is not None and str(id) != str(input.alert_id):
        raise JobFailed(f"input.alert has the id {id}, but alert_id is {input.alert_id}.")


def _is_within(at: datetime | None, end: datetime | None, minutes: int) -> bool:
    """Whether the time is in these minutes before the end; an unknown time counts as such."""
    return at is None or end is None or end - timedelta(minutes=minutes) <= at <= end


def _sensor_statistics(input: AlertInput, end: datetime | None) -> tuple[JsonObject, list[JsonObject]]:
    """(the statistics of the alert's own sensor in the window before it, those of a few others)."""
    items = items_of_asset(input.readings, input.alert.get("asset_id"), input.alert.get("asset_tag"))
    rows = [reading for reading in readings(items) if _is_within(reading.at, end, input.window_minutes)]
    sensors = by_sensor(rows)
    own = _own_sensor(input.alert, sensors)
    others = [
        {"sensor": name, "parameter_key": rows[0].parameter, "unit": rows[0].unit}
        | statistics(rows[-input.max_readings :])
        for name, rows in sensors.items()
        if name != own
    ]
    own_rows = sensors.get(own, []) if own else []
    return {"sensor": own} | statistics(own_rows[-input.max_readings :]), others[:MAX_SENSORS]


def _own_sensor(alert: JsonObject, sensors: dict[str, list[Reading]]) -> str | None:
    """The sensor that the alert names, by itself or by its parameter; else the only one."""
    names = {str(first_value(alert, "sensor_id", "sensor") or ""), str(alert.get("parameter_key") or "")} - {""}
    own = next((name for name, rows in sensors.items() if {name, rows[0].parameter} & names), None)
    return next(iter(sensors)) if own is None and len(sensors) == 1 else own
