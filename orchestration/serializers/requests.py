"""What callers send to runs."""

from rest_framework import serializers

from config.http.fields import BooleanField, CharField, ChoiceField, ObjectField
from orchestration.models import Mode, Status


class ApprovalInput(serializers.Serializer):
    """A person's answer; `approved` must be a boolean."""

    approved = BooleanField()
    comment = CharField(required=False, allow_blank=True, default="", max_length=2000)
    arguments = ObjectField(required=False, allow_null=True, default=None, help_text="Approve this call instead.")


class ResumeRequest(serializers.Serializer):
    """PATCH /runs/{id}/resume."""

    approval_input = ApprovalInput()


class EventRequest(serializers.Serializer):
    """POST /runs/{id}/events."""

    name = CharField(max_length=200)
    payload = serializers.JSONField(required=False, allow_null=True, default=None)


class RunQuery(serializers.Serializer):
    """The filters of GET /runs."""

    workflow_id = CharField(required=False, max_length=64)
    status = ChoiceField(Status.choices, required=False)
    mode = ChoiceField(Mode.choices, required=False)
    kind = CharField(required=False, max_length=32)
    app_id = CharField(required=False, max_length=128)


class ApprovalQuery(serializers.Serializer):
    """The filters of GET /approvals."""

    filter = ChoiceField(("pending", "mine", "all"), required=False, default="pending")
    run_id = serializers.UUIDField(required=False)
