"""The context of a fired alert, to find its cause: its measurement by the minute, and the events of its window."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count

from agents.jobs.analysis.alert_lookup import alert_source
from config.http.fields import iso
from config.rate_limits.request_counts import TrafficUnknown
from config.values.json_types import JsonObject
from observability.alerts.measurements import MEASUREMENTS, Minute, denials_between, events_between, runs_between
from observability.models import Alert
from orchestration.models import NEWEST_FIRST, Status
from orchestration.models.visibility import visible_to

MAX_EXAMPLES = 8  # of each kind of event
MAX_KINDS = 10  # of reasons that are counted
MAX_TEXT_LENGTH = 300
HOUR = timedelta(hours=1)


@alert_source
def recorded_alert(tenant_id: str, id: Any, window_minutes: int) -> JsonObject:
    """The context of the tenant's alert of this number or id (describe_alert); {} when there is none."""
    alert = find_alert(tenant_id, id)
    return describe_alert(alert, window_minutes) if alert else {}


def find_alert(tenant_id: str, id: Any) -> Alert | None:
    """The tenant's alert of this number or id."""
    rows = Alert.objects.for_tenant(tenant_id)
    text = str(id)
    if text.isascii() and text.isdigit() and len(text) < 10:
        return rows.filter(number=int(text)).first()
    try:
        return rows.filter(pk=UUID(text)).first()
    except ValueError:
        return None


def describe_alert(alert: Alert, window_minutes: int) -> JsonObject:
    """{alert, readings, alerts, events}: the alert, its measure by the minute in the window before it, the other alerts
    of the hour before, and what happened in the window as sentences.
    """
    until = alert.triggered_at
    since = until - timedelta(minutes=window_minutes)
    alert_json = {
        "id": alert.number,
        "severity": "high",
        "parameter_key": alert.rule_type,
        "current_value": alert.value["value"],
        "threshold_value": alert.value["threshold"],
        "triggered_at": iso(until),
        "description": alert.message,
    }
    return {
        "alert": alert_json,
        "readings": _readings(alert, since, until),
        "alerts": _others(alert),
        "events": events(alert.tenant_id, since, until),
    }


def _readings(alert: Alert, since: datetime, until: datetime) -> list[JsonObject]:
    measurement = MEASUREMENTS[alert.rule_type]
    try:
        minutes: list[Minute] = measurement.count(alert.tenant_id, since, until)
    except TrafficUnknown:
        minutes = []
    name = {"sensor_id": alert.rule_type, "parameter_key": alert.rule_type}
    return [name | {"value": measurement.value([minute]), "timestamp": iso(minute.at)} for minute in minutes]


def _others(alert: Alert) -> list[JsonObject]:
    rows = Alert.objects.for_tenant(alert.tenant_id).exclude(pk=alert.pk)
    rows = rows.filter(triggered_at__lte=alert.triggered_at, triggered_at__gte=alert.triggered_at - HOUR)
    return [
        {
            "id": other.number,
            "rule_type": other.rule_type,
            "description": other.message,
            "triggered_at": iso(other.triggered_at),
        }
        for other in rows.order_by("-number")[:MAX_EXAMPLES]
    ]


def events(tenant_id: str, since: datetime, until: datetime) -> list[str]:
    """Sentences: how the runs of the window ended and why, what exceeded a budget, what policies denied. Conversations
    are their users' own and are only counted.
    """
    runs = runs_between(tenant_id, since, until).order_by()
    by_status = runs.values("status").annotate(count=Count("tenant_id")).order_by("-count")
    summary = ", ".join(f"{one['count']} {one['status']}" for one in by_status)
    lines = [f"runs that began in the window: {summary}" if summary else "no run began in the window"]
    failed = runs.filter(status=Status.FAILED)
    alike = failed.values("kind", "subject_id", "failure_reason").annotate(count=Count("tenant_id"))
    for one in alike.order_by("-count", "subject_id")[:MAX_KINDS]:
        lines.append(f"{one['count']} × {one['kind']} {one['subject_id']} failed, {one['failure_reason']}")
    for run in failed.filter(visible_to(None)).order_by(*NEWEST_FIRST)[:MAX_EXAMPLES]:
        error = run.result.get("error", "") if isinstance(run.result, dict) else ""
        lines.append(f"run {run.id} ({run.kind} {run.subject_id}) at {iso(run.created_at)}: {_short(error)}")
    for event in events_between(tenant_id, since, until).order_by("-ts")[:MAX_EXAMPLES]:
        lines.append(
            f"budget exceeded by run {event.run_id} at {iso(event.ts)}: {_short(event.payload.get('message'))}"
        )
    for denial in denials_between(tenant_id, since, until).order_by("-created_at")[:MAX_EXAMPLES]:
        lines.append(f"denied at {iso(denial.created_at)}: {denial.action}: {_short(denial.explanation)}")
    return lines


def _short(text: Any) -> str:
    line = " ".join(str(text or "").split())
    return line if len(line) <= MAX_TEXT_LENGTH else line[:MAX_TEXT_LENGTH] + "…"
