"""The program "notification": sends one alert to one channel, until the channel has accepted it.

Each notification is a run of its own, so that a channel that fails stops no other; each try is an event, which is the
delivery log. What was sent and not acknowledged is sent again, with the same id.
"""

from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

import orjson

from config.http import origin
from config.http.fields import iso
from config.outbound import mail
from config.values.json_types import JsonObject
from observability.alerts.channels import Channel, decrypt_channels
from observability.models import Alert
from orchestration.models import FINAL, Run
from orchestration.outgoing.deliveries import RETRY, STEP, Delivery, DeliveryRefused, deliver
from orchestration.outgoing.webhooks import signature_headers, tenant_secret
from orchestration.program.registry import program
from orchestration.program.retry import Transient
from orchestration.runs.commands import start_run

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

KIND = "notification"
ATTEMPT_EVENT = "notification_delivery"
RESOLVES = frozenset({"pagerduty"})  # keep an incident open until they hear that it is over
SOURCE = "Regente"


def start_notification(alert: Alert, action: str, channel: int) -> None:
    """Start the run that sends the alert to a channel, once; PolicyDenied.

    The run's input holds the index of the channel, whose config is secret.
    """
    with origin.by_itself():
        start_run(
            tenant_id=alert.tenant_id,
            kind=KIND,
            subject_id=str(alert.pk),
            input={"alert_id": str(alert.pk), "number": alert.number, "action": action, "channel": channel},
            key=_key(alert, action, channel),
        )


@program(KIND, internal=True)
async def notify(ctx: "RunContext") -> JsonObject:
    """{delivered: true, …}"""
    return await ctx.step(STEP, _deliver, ctx, type="webhook", retry=RETRY)


async def _deliver(ctx: "RunContext") -> JsonObject:
    request = ctx.run.input
    alert: Alert = await ctx.database(partial(_alert, ctx.run.tenant_id, UUID(request["alert_id"])))
    channel = decrypt_channels(alert.sealed)[request["channel"]]
    if channel["type"] == "email":
        return await _mail(ctx, alert, channel)
    if channel["type"] in RESOLVES:
        if request["action"] == "trigger" and alert.resolved_at:
            return {"delivered": False, "skipped": "The alert was resolved before it could be sent."}
        is_pending = partial(_is_trigger_pending, alert, request["channel"])
        if request["action"] == "resolve" and await ctx.database(is_pending):
            raise Transient("The alert is still being sent to the channel.")
    secret = await ctx.database(partial(tenant_secret, ctx.run.tenant_id))
    outgoing = channel_request(alert, request["action"], channel, secret, f"msg_{ctx.run.id.hex}")
    return await deliver(ctx, ATTEMPT_EVENT, outgoing)


def _alert(tenant_id: str, id: UUID) -> Alert:
    alert = Alert.objects.for_tenant(tenant_id).filter(pk=id).first()
    if alert is None:
        raise DeliveryRefused("The alert is no longer kept.")
    return alert


def _is_trigger_pending(alert: Alert, channel: int) -> bool:
    runs = Run.objects.for_tenant(alert.tenant_id).filter(kind=KIND, idempotency_key=_key(alert, "trigger", channel))
    return runs.exclude(status__in=FINAL).exists()


def _key(alert: Alert, action: str, channel: int) -> str:
    return f"{alert.pk}:{action}:{channel}"


def channel_request(alert: Alert, action: str, channel: Channel, secret: str, id: str) -> Delivery:
    """What this type of channel is sent."""
    url, kind = channel["config"]["url"], channel["type"]
    if kind == "slack":
        return Delivery(url, orjson.dumps(slack(alert)), {}, id, has_secret_path=True)
    if kind == "pagerduty":
        body = orjson.dumps(pagerduty(alert, action, channel["config"]["routing_key"]))
        return Delivery(url, body, {}, id, has_secret_path=True)
    body = orjson.dumps(plain(alert))
    return Delivery(url, body, signature_headers(secret, id, body), id, has_secret_path=True)


def plain(alert: Alert) -> JsonObject:
    """{alert_name, rule_type, message, value, timestamp}, and which alert it is."""
    return {
        "alert_name": alert.name,
        "rule_type": alert.rule_type,
        "message": alert.message,
        "value": alert.value["value"],
        "timestamp": iso(alert.triggered_at),
        "alert_id": str(alert.pk),
        "number": alert.number,
        "threshold": alert.value["threshold"],
        "window_minutes": alert.value["window_minutes"],
    }


def slack(alert: Alert) -> JsonObject:
    """A message for an incoming webhook of Slack: a text, and the figures in an attachment."""
    values = plain(alert)
    names = ("rule_type", "value", "threshold", "window_minutes", "number")
    fields = [{"title": name, "value": str(values[name]), "short": True} for name in names]
    timestamp = int(alert.triggered_at.timestamp())
    attachment = {"color": "danger", "title": alert.name, "text": alert.message, "fields": fields, "ts": timestamp}
    return {"text": f"Alert: {alert.message}", "attachments": [attachment]}


def pagerduty(alert: Alert, action: str, routing_key: str) -> JsonObject:
    """An event of PagerDuty's Events API v2; the alert's id makes trigger and resolve one incident."""
    event = {"routing_key": routing_key, "event_action": action, "dedup_key": str(alert.pk)}
    if action == "resolve":
        return event
    summary = {"summary": alert.message[:1024], "source": SOURCE, "severity": "error"}
    return event | {"payload": summary | {"timestamp": iso(alert.triggered_at), "custom_details": plain(alert)}}


async def _mail(ctx: "RunContext", alert: Alert, channel: Channel) -> JsonObject:
    to = channel["config"]["to"]
    text = f"{alert.message}\n\nAlert number {alert.number}, fired at {iso(alert.triggered_at)}.\n"
    fault = ""
    try:
        await ctx.engine.in_thread(partial(mail.send, f"Alert: {alert.name}", text, to, ctx.run.id.hex))
    except OSError as failed:  # all of smtplib's faults are
        fault = f"The mail server did not take it: {type(failed).__name__}."
    ctx.emit(ATTEMPT_EVENT, {"recipients": len(to), "error": fault or None}, STEP)
    if fault:
        raise Transient(fault)
    return {"delivered": True, "recipients": len(to)}
