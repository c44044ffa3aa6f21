"""How a question to a person looks outside: proposed, decided and executed, each with its time."""

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from orchestration.models import FINAL, Approval
from orchestration.serializers.runs import stamp, step_id

STATUSES = ("pending", "approved", "rejected", "expired", "void")


def status_of(asked: Approval) -> str:
    """Its state; void: its run ended before anybody decided."""
    if asked.approved is not None:
        return "approved" if asked.approved else "rejected"
    if asked.expires_at and asked.expires_at <= timezone.now():
        return "expired"
    return "void" if asked.run.status in FINAL else "pending"


def approval_json(asked: Approval) -> dict[str, Any]:
    """An approval with its run loaded."""
    run = asked.run
    return {
        "id": str(asked.pk),
        "run_id": str(asked.run_id),
        "step_id": step_id(asked.run_id, asked.step),
        "node_id": asked.node_id,
        "kind": asked.kind,
        "status": status_of(asked),
        "message": asked.message,
        "tool_id": asked.tool_id or None,
        "arguments": asked.arguments,
        "digest": asked.digest or None,
        "policy_id": str(asked.policy_id) if asked.policy_id else None,
        "role": asked.role,
        "four_eyes": asked.four_eyes,
        "requested_by": str(run.created_by) if run.created_by else None,
        "on_behalf_of": run.on_behalf_of or None,
        "requested_at": stamp(asked.created_at),
        "expires_at": stamp(asked.expires_at),
        "decided_by": str(asked.decided_by) if asked.decided_by else None,
        "decided_at": stamp(asked.decided_at),
        "comment": asked.comment,
        "approved_arguments": asked.edited
        if asked.edited is not None
        else (asked.arguments if asked.approved else None),
        "executed_at": stamp(asked.executed_at),
    }


class ApprovalShape(serializers.Serializer):
    """A question to a person."""

    id = serializers.UUIDField()
    run_id = serializers.UUIDField()
    step_id = serializers.UUIDField()
    node_id = serializers.CharField()
    kind = serializers.ChoiceField(("gate", "run_start", "agent_call", "tool_call", "apply", "in_doubt"))
    status = serializers.ChoiceField(STATUSES)
    message = serializers.CharField()
    tool_id = serializers.CharField(allow_null=True)
    arguments = serializers.JSONField(allow_null=True)
    digest = serializers.CharField(allow_null=True, help_text="SHA-256 of the call that is asked about.")
    policy_id = serializers.UUIDField(allow_null=True)
    role = serializers.CharField(help_text="The least role that may decide.")
    four_eyes = serializers.BooleanField(help_text="Who started the run may not decide.")
    requested_by = serializers.UUIDField(allow_null=True)
    on_behalf_of = serializers.CharField(allow_null=True)
    requested_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    decided_by = serializers.UUIDField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    comment = serializers.CharField()
    approved_arguments = serializers.JSONField(allow_null=True)
    executed_at = serializers.DateTimeField(allow_null=True)
