"""The changes that a draft run has staged, as they are reviewed."""

from typing import Any

from rest_framework import serializers

from config.http.fields import UUIDField, iso
from orchestration.models import Change, ChangeStatus
from orchestration.serializers.runs import step_id

MAX_IDS = 1_000


class ChangesRequest(serializers.Serializer):
    """Which changes; none named = all that are staged."""

    change_ids = serializers.ListField(
        child=UUIDField(), required=False, allow_null=True, min_length=1, max_length=MAX_IDS
    )


class ChangeShape(serializers.Serializer):
    """A staged effect."""

    id = serializers.UUIDField()
    step_id = serializers.UUIDField()
    tool_id = serializers.CharField()
    agent_id = serializers.CharField(allow_null=True)
    kind = serializers.CharField(help_text="file, memory, database, http, remote, mcp or code")
    target = serializers.CharField()
    arguments = serializers.JSONField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)
    status = serializers.ChoiceField(("staged", "applied", "discarded"))
    reason = serializers.CharField()
    error = serializers.CharField(allow_null=True)
    outcome = serializers.JSONField(allow_null=True)
    settled_by = serializers.UUIDField(allow_null=True)
    settled_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class SettledShape(serializers.Serializer):
    """The draft's changes after an apply or a discard."""

    run_id = serializers.UUIDField()
    apply_run_id = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(("applied", "discarded", "applying"))
    changes = ChangeShape(many=True)


def change_json(change: Change) -> dict[str, Any]:
    """A change; one that is being applied is still staged for whoever looks."""
    status = ChangeStatus.STAGED if change.status == ChangeStatus.APPLYING else change.status
    return {
        "id": str(change.pk),
        "step_id": step_id(change.run_id, change.step),
        "tool_id": change.tool_id,
        "agent_id": change.agent_id or None,
        "kind": change.kind,
        "target": change.target,
        "arguments": change.arguments,
        "before": change.before,
        "after": change.after,
        "status": str(status),
        "reason": change.reason,
        "error": change.error or None,
        "outcome": change.outcome,
        "settled_by": str(change.settled_by) if change.settled_by else None,
        "settled_at": iso(change.settled_at),
        "created_at": iso(change.created_at),
    }
