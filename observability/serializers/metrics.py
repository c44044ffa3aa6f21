"""What GET /metrics takes, and the shape of its JSON."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from config.http.fields import ChoiceField
from observability.metrics.metric_values import MetricValues
from observability.metrics.metrics_json import enhanced_json
from observability.metrics.tenant_metrics import TenantMetrics

JSON, PROMETHEUS = "json", "prometheus"
TRUE = ("true", "1")


class MetricsQuery(serializers.Serializer):
    """Which form."""

    enhanced = serializers.CharField(
        default="true", help_text="true or 1: the enhanced form; else the older one, which has some of its keys."
    )
    format = ChoiceField([JSON, PROMETHEUS], default=JSON, help_text="json, or prometheus for its text format.")
    tenant_id = serializers.CharField(
        required=False, help_text="One's own tenant; an operator's choice, who sees all tenants together without it."
    )


def shape(name: str, told: dict[str, Any]) -> serializers.Serializer:
    """The serializer of metrics that look like these."""
    fields = {key: _field(f"{name}{key.title().replace('_', '')}", value) for key, value in told.items()}
    made = type(name, (serializers.Serializer,), fields | {"__doc__": "Metrics of a tenant."})
    return extend_schema_serializer(many=False)(made)()  # although the action is called list


def _field(name: str, value: Any) -> serializers.Field:
    if isinstance(value, dict) and any(not isinstance(one, int) for one in value.values()):
        return shape(name, value)
    if isinstance(value, dict):
        rates = "Rate" in name
        return serializers.DictField(child=serializers.FloatField() if rates else serializers.IntegerField())
    if isinstance(value, str):
        return serializers.DateTimeField()
    return serializers.IntegerField() if isinstance(value, int) else serializers.FloatField()


def nothing() -> dict[str, Any]:
    """The metrics of a tenant in which nothing has happened."""
    return enhanced_json(
        TenantMetrics(datetime(2000, 1, 1, tzinfo=UTC), MetricValues([]), Counter(), *(frozenset[str](),) * 3)
    )
