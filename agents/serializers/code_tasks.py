"""What callers of /tasks send, and what they get (seed 003)."""

from typing import Any

from rest_framework import serializers

from agents.code_tasks.payloads import STATES
from agents.code_tasks.workspace_content import find_repository
from config.http.fields import CharField, ChoiceField, DateTimeField, ObjectField, UUIDField
from memory.models import File

MIN_OBJECTIVE_LENGTH, MAX_OBJECTIVE_LENGTH = 3, 1_000
MAX_FILES = 100
LIMIT, MAX_LIMIT = 50, 100


class TaskRequest(serializers.Serializer):
    """POST /tasks. The workspace begins empty, with these files, or as a clone of this repository."""

    objective = CharField(min_length=MIN_OBJECTIVE_LENGTH, max_length=MAX_OBJECTIVE_LENGTH, trim_whitespace=False)
    context = ObjectField(required=False, allow_null=True, default=None)  # type: ignore[assignment]
    file_ids = serializers.ListField(
        child=UUIDField(), required=False, max_length=MAX_FILES, help_text="Files of /api/v1/files to begin with."
    )
    git_url = CharField(
        required=False,
        allow_null=True,
        max_length=1_000,
        help_text="A repository of this machine.",
    )

    def validate_objective(self, text: str) -> str:
        """The objective, which says something."""
        if len(text.strip()) < MIN_OBJECTIVE_LENGTH:
            raise serializers.ValidationError(f"Must have at least {MIN_OBJECTIVE_LENGTH} characters.", "min_length")
        return text

    def validate_file_ids(self, ids: list[Any]) -> list[str]:
        """The ids of files that are there."""
        request = self.context["request"]  # type: ignore[index]
        found = File.objects.for_tenant(request.tenant).in_bulk(ids)
        if missing := [str(id) for id in ids if id not in found]:
            raise serializers.ValidationError(f"There is no file {missing[0]}.", "not_found")
        return [str(id) for id in dict.fromkeys(ids)]

    def validate_git_url(self, url: str | None) -> str | None:
        """The repository, if it may be cloned."""
        try:
            return url if not url or find_repository(url) else None
        except ValueError as fault:
            raise serializers.ValidationError(str(fault), "not_allowed") from None

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        """The request, with one beginning at most."""
        if given.get("git_url") and given.get("file_ids"):
            raise serializers.ValidationError({"git_url": "Give file_ids or git_url, not both."})
        return given


class TaskQuery(serializers.Serializer):
    """The filters of GET /tasks; what is out of range is refused, not clamped."""

    state = ChoiceField(STATES, required=False)
    limit = serializers.IntegerField(default=LIMIT, min_value=1, max_value=MAX_LIMIT)
    offset = serializers.IntegerField(default=0, min_value=0, max_value=2**31)


class TaskLogShape(serializers.Serializer):
    """A line of the log."""

    timestamp = DateTimeField()
    message = serializers.CharField()


class TaskStepShape(serializers.Serializer):
    """What the agent did, in a line."""

    timestamp = DateTimeField()
    description = serializers.CharField()


class TaskActionShape(serializers.Serializer):
    """A tool call."""

    tool = serializers.CharField()
    params = serializers.DictField()
    result = serializers.CharField()
    success = serializers.BooleanField()
    duration_ms = serializers.IntegerField(allow_null=True)


class TaskResultShape(serializers.Serializer):
    """What the task came to."""

    success = serializers.BooleanField()
    output = serializers.CharField()
    error = serializers.CharField(allow_null=True)
    actions_taken = TaskActionShape(many=True)
    diff = serializers.CharField(allow_null=True)
    files = serializers.ListField(child=serializers.DictField(), help_text="[{path, file_id, size}]")
    notes = serializers.ListField(child=serializers.CharField())


class TaskShape(serializers.Serializer):
    """A task."""

    id = serializers.UUIDField()
    objective = serializers.CharField()
    context = serializers.DictField(allow_null=True)  # type: ignore[assignment]
    state = serializers.ChoiceField(STATES)
    created_at = DateTimeField()
    updated_at = DateTimeField()
    logs = TaskLogShape(many=True)
    steps = TaskStepShape(many=True)
    result = TaskResultShape(allow_null=True)


class TaskListShape(serializers.Serializer):
    """Tasks, and how many there are in all; beyond 10,000 the total is 10,000 and inexact."""

    tasks = TaskShape(many=True)
    total = serializers.IntegerField()
    total_is_exact = serializers.BooleanField()


class CountsShape(serializers.Serializer):
    """How many tasks there are, by state."""

    total = serializers.IntegerField()
    pending = serializers.IntegerField()
    running = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class SandboxShape(serializers.Serializer):
    """Whether commands can be run."""

    available = serializers.BooleanField()
    reason = serializers.CharField(allow_null=True)


class TaskHealthShape(serializers.Serializer):
    """The state of /tasks."""

    status = serializers.CharField()
    tasks = CountsShape()
    sandbox = SandboxShape()
