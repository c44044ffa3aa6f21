"""The audit log as it is read (seed 000 §11)."""

from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers

from config.http.fields import DateTimeField, TextOrNullField
from config.http.serializers import ResponseSerializer
from governance.models import AuditEntry


class AuditQuery(serializers.Serializer):
    """The filters of GET /audit/logs."""

    user_id = serializers.UUIDField(required=False)
    resource_type = serializers.CharField(required=False, max_length=64)
    resource_id = serializers.CharField(required=False, max_length=255)
    action = serializers.CharField(required=False, max_length=64)
    start_date = DateTimeField(required=False)
    end_date = DateTimeField(required=False)

    def to_internal_value(self, data: Any) -> Any:
        """A day alone is its first moment; as an end its last."""
        values = {name: value for name, value in data.items() if value != ""}
        for name, time in (("start_date", "T00:00:00Z"), ("end_date", "T23:59:59.999999Z")):
            if len(values.get(name, "")) == 10:
                values[name] += time
        return super().to_internal_value(values)


class ChangesSerializer(ResponseSerializer):
    """The resource before and after."""

    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class AuditEntrySerializer(ResponseSerializer):
    """One operation that changed something."""

    example = AuditEntry(
        pk=156, action="update", resource_type="workflow", resource_id="0197a3c1-0000-7000-8000-000000000001",
        before={"name": "Refund"}, after={"name": "Refunds"}, ip_address="192.0.2.7", user_agent="curl/8.5",
        created_at=datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
    )  # fmt: skip

    id = serializers.CharField(source="pk")
    user_id = serializers.CharField(allow_null=True)
    action = serializers.CharField()
    resource_type = serializers.CharField()
    resource_id = serializers.CharField()
    changes = ChangesSerializer(source="*")
    ip_address = serializers.CharField()
    user_agent = serializers.CharField()
    on_behalf_of = TextOrNullField()
    agent_id = TextOrNullField()
    api_key_id = serializers.CharField(source="key_id", allow_null=True)
    trace_id = TextOrNullField()
    created_at = serializers.DateTimeField()


class AuditLogSerializer(ResponseSerializer):
    """A page of the log, the newest first; beyond 10,000 the total is 10,000 and inexact."""

    logs = AuditEntrySerializer(many=True)
    total = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()
    totalIsExact = serializers.BooleanField()  # noqa: N815 - as the contract's other lists have it
