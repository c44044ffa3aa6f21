"""The query of GET /metrics, and the two forms of its JSON."""

from collections import Counter
from datetime import UTC, datetime

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_serializer
from rest_framework import serializers

from config.http.fields import ChoiceField
from config.values.json_types import Json, JsonObject
from observability.metrics.metric_values import MetricValues
from observability.metrics.metrics_json import enhanced_json, legacy_json
from observability.metrics.tenant_metrics import TenantMetrics

JSON, PROMETHEUS = "json", "prometheus"
TRUE = ("true", "1")
EMPTY = TenantMetrics(datetime(2026, 1, 31, tzinfo=UTC), MetricValues([]), Counter(), *(frozenset[str](),) * 3)


class MetricsQuery(serializers.Serializer):
    """The form of the metrics."""

    enhanced = serializers.CharField(
        default="true", help_text="true or 1: the enhanced form; else the older one, which has some of its keys."
    )
    format = ChoiceField([JSON, PROMETHEUS], default=JSON, help_text="json, or prometheus for its text format.")
    tenant_id = serializers.CharField(
        required=False, help_text="One's own tenant; an operator's choice, who sees all tenants together without it."
    )


def metrics_response() -> PolymorphicProxySerializer:
    """The enhanced form or the older one, as the metrics of a tenant in which nothing has happened have them."""
    forms = [_serializer("Metrics", enhanced_json(EMPTY)), _serializer("LegacyMetrics", legacy_json(EMPTY))]
    return PolymorphicProxySerializer("MetricsForm", forms, resource_type_field_name=None, many=False)


def _serializer(name: str, body: JsonObject) -> serializers.Serializer:
    """A serializer class of this name whose fields are those of the body."""
    fields = {key: _field(f"{name}{key.title().replace('_', '')}", value) for key, value in body.items()}
    serializer = type(name, (serializers.Serializer,), fields | {"__doc__": "Metrics of a tenant."})
    return extend_schema_serializer(many=False)(serializer)()  # although the action is called list


def _field(name: str, value: Json) -> serializers.Field:
    if isinstance(value, dict) and any(not isinstance(item, int) for item in value.values()):
        return _serializer(name, value)
    if isinstance(value, dict):
        child = serializers.FloatField() if "Rate" in name else serializers.IntegerField()
        return serializers.DictField(child=child)
    if isinstance(value, str):
        return serializers.DateTimeField()
    return serializers.IntegerField() if isinstance(value, int) else serializers.FloatField()
