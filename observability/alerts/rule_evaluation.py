"""check(): compare every rule of a tenant with what was measured, and fire; resolve(). (seed 000 §12, RULINGS §11)"""

import logging
import operator
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, Max, OuterRef
from django.utils import timezone

from accounts.models import Tenant
from config.rate_limits.request_counts import TrafficUnknown
from config.values.json_types import JsonObject
from governance.policies.evaluation import PolicyDenied
from observability.alerts.channels import decrypt_channels
from observability.alerts.measurements import MEASUREMENTS
from observability.alerts.notifications import RESOLVES, start_notification
from observability.models import Alert, AlertConfig, RuleType

log = logging.getLogger(__name__)
COOLDOWN = timedelta(hours=1)  # no new alert of a rule while an unresolved one is younger
RETENTION = timedelta(days=90)
MAX_RULES = 200  # of a tenant
WINDOW_MINUTES, MAX_WINDOW = 5, 1440
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
}
BEYOND = {"gt": "over", "gte": "at or over", "lt": "under", "lte": "at or under", "eq": "equal to"}
ALONE = "SELECT pg_try_advisory_xact_lock(hashtext('observability.alerts.rule_evaluation'), hashtext(%s))"


def check(tenant_id: str) -> list[Alert]:
    """The alerts that the tenant's rules have fired now. One check of a tenant at a time: a second one finds nothing. A
    rule that cannot be evaluated stops no other.
    """
    alerts: list[Alert] = []
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(ALONE, [tenant_id])
            if not cursor.fetchone()[0]:
                return []
        blocks_known = True
        for rule in AlertConfig.objects.for_tenant(tenant_id).filter(enabled=True).order_by("id"):
            if rule.rule_type == RuleType.RATE_LIMIT and not blocks_known:
                continue
            try:
                with transaction.atomic():
                    value = evaluate(rule)
                    if value.pop("fires") and not _fired_lately(rule):
                        alerts.append(_fire(rule, value))
            except TrafficUnknown:
                log.warning("the rules on rate limits of the tenant %s are not checked: Redis is away", tenant_id)
                blocks_known = False
            except Exception:
                log.exception("the alert rule %s could not be checked", rule.pk)
    return alerts


def check_all() -> int:
    """The number of alerts that fired over all tenants; a tenant whose check fails stops no other's."""
    count = 0
    with_rules = AlertConfig.all_tenants.filter(enabled=True).values("tenant_id")
    for tenant in Tenant.objects.filter(pk__in=with_rules, suspended=False):
        try:
            count += len(check(tenant.pk))
        except Exception:
            log.exception("the alert rules of the tenant %s could not be checked", tenant.pk)
    return count


def evaluate(rule: AlertConfig) -> JsonObject:
    """{value, threshold, operator, window_minutes, what it was made of, fires}."""
    now, config = timezone.now(), rule.rule_config
    window, compare = config.get("window_minutes", WINDOW_MINUTES), config.get("operator", "gt")
    measurement = MEASUREMENTS[rule.rule_type]
    minutes = measurement.count(rule.tenant_id, now - timedelta(minutes=window), now)
    value = measurement.value(minutes)
    value_json = {"value": value, "threshold": config["threshold"], "operator": compare, "window_minutes": window}
    return value_json | measurement.details(minutes) | {"fires": OPERATORS[compare](value, config["threshold"])}


def _fired_lately(rule: AlertConfig) -> bool:
    rows = Alert.objects.for_tenant(rule.tenant_id).filter(alert_config_id=rule.pk, resolved_at=None)
    return rows.filter(triggered_at__gt=timezone.now() - COOLDOWN).exists()


def _fire(rule: AlertConfig, value: JsonObject) -> Alert:
    last = Alert.objects.for_tenant(rule.tenant_id).aggregate(last=Max("number"))["last"] or 0
    alert = Alert.all_tenants.create(
        tenant_id=rule.tenant_id,
        number=last + 1,
        alert_config_id=rule.pk,
        name=rule.name,
        rule_type=rule.rule_type,
        value=value,
        message=message(rule, value),
        sealed=rule.sealed,
        triggered_at=timezone.now(),
    )
    _notify(alert, "trigger", range(len(decrypt_channels(alert.sealed))))
    return alert


def message(rule: AlertConfig, value: JsonObject) -> str:
    """One sentence: what was measured, against what."""
    made_of = f" ({value['failed']} of {value['runs']} runs failed)" if "runs" in value else ""
    noun = "error rate" if "runs" in value else MEASUREMENTS[rule.rule_type].noun
    period = "now" if rule.rule_type == "memory_usage" else f"in the last {value['window_minutes']} min"
    return (
        f"{rule.name}: {value['value']:g} {noun}{made_of} {period}, "
        f"{BEYOND[value['operator']]} the threshold of {value['threshold']:g}."
    )


def resolve(alert: Alert, user_id: UUID | None) -> None:
    """Mark the alert as resolved, once, and notify the channels that keep an incident open until then."""
    with transaction.atomic():
        alert = Alert.objects.for_tenant(alert.tenant_id).select_for_update(no_key=True).get(pk=alert.pk)
        if alert.resolved_at is not None:
            return
        alert.resolved_at, alert.resolved_by = timezone.now(), user_id
        alert.save(update_fields=["resolved_at", "resolved_by"])
        keeping = [at for at, channel in enumerate(decrypt_channels(alert.sealed)) if channel["type"] in RESOLVES]
        _notify(alert, "resolve", keeping)


def _notify(alert: Alert, action: str, channels: Any) -> None:
    for channel in channels:
        try:
            start_notification(alert, action, channel)
        except PolicyDenied as refusal:
            log.warning("channel %d of the alert %s is not notified: %s", channel, alert.pk, refusal.message)
            if refusal.afterwards:  # the decision; nothing here is undone for it
                refusal.afterwards()


def forget_old() -> int:
    """The number of alerts that were too old to keep. A tenant's last one stays: the next one's number follows it."""
    newer = Alert.all_tenants.filter(tenant_id=OuterRef("tenant_id"), number__gt=OuterRef("number"))
    return Alert.all_tenants.filter(Exists(newer), triggered_at__lt=timezone.now() - RETENTION).delete()[0]
