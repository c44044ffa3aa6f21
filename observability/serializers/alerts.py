"""Alert rules and alerts as clients write and read them (seed 000 §12)."""

from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.http.fields import BooleanField, CharField, ChoiceField, DateTimeField, UUIDField, iso
from config.http.query_parameters import FlagField
from config.http.serializers import ResponseSerializer
from config.values.json_types import JsonObject
from observability.alerts import channels
from observability.alerts.rule_evaluation import MAX_WINDOW, OPERATORS, WINDOW_MINUTES
from observability.models import Alert, AlertConfig, RuleType

MAX_THRESHOLD = 1e15
KEYS = frozenset({"threshold", "window_minutes", "operator"})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_THRESHOLD


class RuleConfigSerializer(serializers.Serializer):
    """When a rule fires."""

    threshold = serializers.FloatField()
    window_minutes = serializers.IntegerField(default=WINDOW_MINUTES, min_value=1, max_value=MAX_WINDOW)
    operator = serializers.ChoiceField(list(OPERATORS), default="gt")


class ChannelSerializer(serializers.Serializer):
    """Where an alert goes."""

    type = serializers.ChoiceField(channels.TYPES)
    config = serializers.DictField(help_text="webhook and slack: url; pagerduty: routing_key; email: to.")


@extend_schema_field(RuleConfigSerializer)
class RuleConfigField(serializers.Field):
    """{threshold, window_minutes, operator}."""

    def to_internal_value(self, data: Any) -> JsonObject:
        """The config with its defaults."""
        if not isinstance(data, dict):
            raise serializers.ValidationError("Must be an object: {threshold, window_minutes, operator}.", "invalid")
        threshold, window = data.get("threshold"), data.get("window_minutes", WINDOW_MINUTES)
        compare = data.get("operator", "gt")
        if not _is_number(threshold):
            raise serializers.ValidationError(f"threshold is required: a number, at most {MAX_THRESHOLD:g}.", "invalid")
        if not isinstance(window, int) or isinstance(window, bool) or not 1 <= window <= MAX_WINDOW:
            raise serializers.ValidationError(
                f"window_minutes must be a whole number from 1 to {MAX_WINDOW}.", "invalid"
            )
        if not isinstance(compare, str) or compare not in OPERATORS:
            raise serializers.ValidationError(f"operator must be one of {', '.join(OPERATORS)}.", "invalid")
        if unknown := sorted(str(name)[:64] for name in data.keys() - KEYS):
            names = ", ".join(sorted(KEYS))
            raise serializers.ValidationError(f"{', '.join(unknown)}: not known; there are {names}.", "invalid")
        return {"threshold": threshold, "window_minutes": window, "operator": compare}


@extend_schema_field(ChannelSerializer(many=True))
class ChannelsField(serializers.Field):
    """[{type, config}]; keys in configs are shown by their last characters only."""

    def to_internal_value(self, data: Any) -> list[channels.Channel]:
        """The channels, each with what its type needs."""
        rule = self.parent.instance if isinstance(self.parent, serializers.Serializer) else None
        try:
            return channels.check_channels(
                data, channels.decrypt_channels(rule.sealed) if isinstance(rule, AlertConfig) else []
            )
        except channels.BadChannel as fault:
            raise serializers.ValidationError(str(fault), "invalid") from None


class AlertConfigSerializer(serializers.Serializer):
    """An alert rule."""

    example = {"name": "Many failures", "rule_type": RuleType.values[0], "rule_config": {"threshold": 10}}

    id = serializers.UUIDField(read_only=True)
    name = CharField(max_length=255)
    rule_type = ChoiceField(RuleType.choices)
    rule_config = RuleConfigField()
    channels = ChannelsField(required=False, default=list)
    enabled = BooleanField(required=False, default=True)
    tenant_id = serializers.CharField(read_only=True)
    created_at = DateTimeField(read_only=True)
    updated_at = DateTimeField(read_only=True)

    def create(self, validated_data: JsonObject) -> AlertConfig:
        """The new rule."""
        sealed = channels.encrypt_channels(validated_data.pop("channels"))
        return AlertConfig.all_tenants.create(**validated_data, sealed=sealed)

    def update(self, instance: AlertConfig, validated_data: JsonObject) -> AlertConfig:
        """The changed rule."""
        if "channels" in validated_data:
            instance.sealed = channels.encrypt_channels(validated_data.pop("channels"))
        for name, value in validated_data.items():
            setattr(instance, name, value)
        instance.save()
        return instance

    def to_representation(self, rule: AlertConfig) -> JsonObject:
        """The rule."""
        return {
            "id": str(rule.pk),
            "name": rule.name,
            "rule_type": rule.rule_type,
            "rule_config": rule.rule_config,
            "channels": channels.mask_channels(channels.decrypt_channels(rule.sealed)),
            "enabled": rule.enabled,
            "tenant_id": rule.tenant_id,
            "created_at": iso(rule.created_at),
            "updated_at": iso(rule.updated_at),
        }


class AlertSerializer(ResponseSerializer):
    """An alert that fired."""

    example: ClassVar[Any] = Alert(
        id=UUID("0197a3c2-5d1e-7b40-9c3f-2f6d1c0b8a16"), number=3, name="Many failures", rule_type=RuleType.values[0],
        alert_config_id=UUID("0197a3c2-5d1e-7b40-9c3f-2f6d1c0b8a17"), value={"value": 12, "threshold": 10},
        message="12 is more than 10.", triggered_at=datetime(2026, 1, 31, tzinfo=UTC), tenant_id="acme",
    )  # fmt: skip

    id = serializers.UUIDField()
    number = serializers.IntegerField(help_text="Counts the tenant's alerts; root_cause takes it as alert_id.")
    alert_config_id = serializers.UUIDField()
    name = serializers.CharField()
    rule_type = serializers.ChoiceField(RuleType.choices)
    value = serializers.JSONField(help_text="{value, threshold, operator, window_minutes, …}")
    message = serializers.CharField()
    triggered_at = serializers.DateTimeField()
    resolved_at = serializers.DateTimeField(allow_null=True)
    resolved_by = serializers.UUIDField(allow_null=True)
    tenant_id = serializers.CharField()


class NotificationSerializer(ResponseSerializer):
    """The notification of one channel."""

    run_id = serializers.UUIDField(help_text="GET /runs/{id}/events is the delivery log.")
    channel = serializers.CharField()
    action = serializers.CharField()
    status = serializers.CharField()
    error = serializers.CharField(allow_null=True)


class AlertDetailSerializer(AlertSerializer):
    """An alert with its notifications; its row has `notifications` beside an Alert's."""

    example = vars(AlertSerializer.example) | {"notifications": []}

    notifications = NotificationSerializer(many=True)


class AlertQuery(serializers.Serializer):
    """The filters of GET /alerts/history."""

    alert_config_id = UUIDField(required=False)
    rule_type = ChoiceField(RuleType.choices, required=False)
    resolved = FlagField(required=False, allow_null=True, default=None)


class CheckSerializer(ResponseSerializer):
    """A check of the rules, and the alerts that it fired."""

    message = serializers.CharField()
    fired = AlertSerializer(many=True)
