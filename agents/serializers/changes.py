"""The changes that a draft run has staged, as they are reviewed."""

from datetime import UTC, datetime
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.http.fields import TextOrNullField, UUIDField
from config.http.serializers import ResponseSerializer
from orchestration.models import Change, ChangeStatus
from orchestration.serializers.runs import step_id

MAX_IDS = 1_000
STATUSES = ("staged", "applied", "discarded")
EXAMPLE_CHANGE = Change(
    id=UUID("0197a3c2-5d1e-7b40-9c3f-2f6d1c0b8a12"), run_id=UUID("0197a3c2-5d1e-7b40-9c3f-2f6d1c0b8a11"), step="save",
    tool_id="files.write", kind="file", target="reports/june.md",
    arguments={"path": "reports/june.md", "content": "# June"}, before=None, after="# June", status=ChangeStatus.STAGED,
    reason="Write File, called by the workflow in step save.", created_at=datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
)  # fmt: skip


class ChangesRequest(serializers.Serializer):
    """Which changes; none named = all that are staged."""

    example = {"change_ids": [str(EXAMPLE_CHANGE.pk)]}

    change_ids = serializers.ListField(
        child=UUIDField(), required=False, allow_null=True, min_length=1, max_length=MAX_IDS
    )


class ChangeSerializer(ResponseSerializer):
    """A staged effect."""

    example = EXAMPLE_CHANGE

    id = serializers.UUIDField()
    step_id = serializers.SerializerMethodField()
    tool_id = serializers.CharField()
    agent_id = TextOrNullField()
    kind = serializers.CharField(help_text="file, memory, database, http, remote, mcp or code")
    target = serializers.CharField()
    arguments = serializers.JSONField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)
    status = serializers.SerializerMethodField()
    reason = serializers.CharField()
    error = TextOrNullField()
    outcome = serializers.JSONField(allow_null=True)
    settled_by = serializers.UUIDField(allow_null=True)
    settled_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()

    @extend_schema_field(serializers.UUIDField())
    def get_step_id(self, change: Change) -> str:
        return step_id(change.run_id, change.step)

    @extend_schema_field(serializers.ChoiceField(STATUSES))
    def get_status(self, change: Change) -> str:
        """One that is being applied is still staged for whoever looks."""
        return str(ChangeStatus.STAGED if change.status == ChangeStatus.APPLYING else change.status)


class SettledChangesSerializer(ResponseSerializer):
    """The draft's changes after an apply or a discard."""

    example = {"run_id": EXAMPLE_CHANGE.run_id, "apply_run_id": None, "status": "discarded", "changes": []}

    run_id = serializers.UUIDField()
    apply_run_id = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(("applied", "discarded", "applying"))
    changes = ChangeSerializer(many=True)
