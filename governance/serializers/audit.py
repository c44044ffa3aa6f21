"""The audit log as it is read (seed 000 §11)."""

from typing import Any

from rest_framework import serializers

from config.http.fields import DateTimeField, iso
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
        given = {name: value for name, value in data.items() if value != ""}
        for name, time in (("start_date", "T00:00:00Z"), ("end_date", "T23:59:59.999999Z")):
            if len(given.get(name, "")) == 10:
                given[name] += time
        return super().to_internal_value(given)


class ChangesShape(serializers.Serializer):
    """The resource before and after."""

    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class AuditEntryShape(serializers.Serializer):
    """Something that was done."""

    id = serializers.CharField()
    user_id = serializers.CharField(allow_null=True)
    action = serializers.CharField()
    resource_type = serializers.CharField()
    resource_id = serializers.CharField()
    changes = ChangesShape()
    ip_address = serializers.CharField()
    user_agent = serializers.CharField()
    on_behalf_of = serializers.CharField(allow_null=True)
    agent_id = serializers.CharField(allow_null=True)
    api_key_id = serializers.CharField(allow_null=True)
    trace_id = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()


class AuditLogShape(serializers.Serializer):
    """A page of the log, the newest first; beyond 10,000 the total is 10,000 and inexact."""

    logs = AuditEntryShape(many=True)
    total = serializers.IntegerField()
    totalIsExact = serializers.BooleanField()  # noqa: N815 - as the contract's other lists have it
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()


def entry_json(entry: AuditEntry) -> dict[str, Any]:
    """An entry in the contract's shape."""
    return {
        "id": str(entry.pk),
        "user_id": str(entry.user_id) if entry.user_id else None,
        "action": entry.action,
        "resource_type": entry.resource_type,
        "resource_id": entry.resource_id,
        "changes": {"before": entry.before, "after": entry.after},
        "ip_address": entry.ip_address,
        "user_agent": entry.user_agent,
        "on_behalf_of": entry.on_behalf_of or None,
        "agent_id": entry.agent_id or None,
        "api_key_id": str(entry.key_id) if entry.key_id else None,
        "trace_id": entry.trace_id or None,
        "created_at": iso(entry.created_at),
    }
