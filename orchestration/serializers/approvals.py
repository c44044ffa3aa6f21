"""Approvals in responses: proposed, decided and executed, each with its time."""

import uuid

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.http.fields import TextOrNullField
from config.http.serializers import ResponseSerializer
from config.values.json_types import JsonObject
from orchestration.models import FINAL, Approval
from orchestration.serializers.runs import EXAMPLE_MOMENT, EXAMPLE_RUN, step_id

KINDS = ("gate", "run_start", "agent_call", "tool_call", "apply", "in_doubt")
STATUSES = ("pending", "approved", "rejected", "expired", "void")


def status_of(approval: Approval) -> str:
    """One of STATUSES; void: its run ended before anybody decided."""
    if approval.approved is not None:
        return "approved" if approval.approved else "rejected"
    if approval.expires_at and approval.expires_at <= timezone.now():
        return "expired"
    return "void" if approval.run.status in FINAL else "pending"


class ApprovalSerializer(ResponseSerializer):
    """What a run asks a person; its row is an Approval with its run loaded."""

    example = Approval(
        id=uuid.UUID("0197a3c2-5d1e-4b40-9c3f-2f6d1c0b8a12"), run=EXAMPLE_RUN, step="mail", node_id="mail",
        kind="tool_call", message="mail.send needs your approval.", tool_id="mail.send", digest="9f86d081884c7d65" * 4,
        arguments={"to": "ana@example.com", "subject": "Refund"}, approved=True, created_at=EXAMPLE_MOMENT,
    )  # fmt: skip

    id = serializers.UUIDField()
    run_id = serializers.UUIDField()
    step_id = serializers.SerializerMethodField()
    node_id = serializers.CharField()
    kind = serializers.ChoiceField(KINDS)
    status = serializers.SerializerMethodField()
    message = serializers.CharField()
    tool_id = TextOrNullField()
    arguments = serializers.JSONField(allow_null=True)
    digest = TextOrNullField(help_text="SHA-256 of the call that is asked about.")
    policy_id = serializers.UUIDField(allow_null=True)
    role = serializers.CharField(help_text="The least role that may decide.")
    four_eyes = serializers.BooleanField(help_text="Who started the run may not decide.")
    requested_by = serializers.UUIDField(source="run.created_by", allow_null=True)
    on_behalf_of = TextOrNullField(source="run.on_behalf_of")
    requested_at = serializers.DateTimeField(source="created_at")
    expires_at = serializers.DateTimeField(allow_null=True)
    decided_by = serializers.UUIDField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    comment = serializers.CharField()
    approved_arguments = serializers.SerializerMethodField()
    executed_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(serializers.UUIDField())
    def get_step_id(self, approval: Approval) -> str:
        return step_id(approval.run_id, approval.step)

    @extend_schema_field(serializers.ChoiceField(STATUSES))
    def get_status(self, approval: Approval) -> str:
        return status_of(approval)

    def get_approved_arguments(self, approval: Approval) -> JsonObject | None:
        if approval.edited is not None:
            return approval.edited
        return approval.arguments if approval.approved else None
