"""Requests of /tasks, and its responses (seed 003)."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from rest_framework import serializers

from agents.code_tasks.states import STATES
from agents.code_tasks.task import CodeTask
from agents.code_tasks.task_log import ActionStart, LogEntry
from agents.code_tasks.task_result import TaskAction, TaskResult
from agents.code_tasks.workspace_content import find_repository
from config.http.fields import CharField, ChoiceField, ObjectField, UUIDField
from config.http.serializers import ResponseSerializer
from config.values.json_types import JsonObject
from memory.models import File

MIN_OBJECTIVE_LENGTH, MAX_OBJECTIVE_LENGTH = 3, 1_000
MAX_FILES = 100
LIMIT, MAX_LIMIT = 50, 100
EXAMPLE_MOMENT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
EXAMPLE_TASK = CodeTask(
    id=UUID("0197a3c2-5d1e-7b40-9c3f-2f6d1c0b8a11"), objective="Write a greeting to hello.txt", context=None,
    state="completed", created_at=EXAMPLE_MOMENT, updated_at=EXAMPLE_MOMENT,
    logs=[LogEntry(EXAMPLE_MOMENT, "Task criada: Write a greeting to hello.txt")],
    steps=[ActionStart(EXAMPLE_MOMENT, "write_file: hello.txt")],
    result=TaskResult(
        success=True, output="hello.txt has a greeting.", error=None,
        diff="--- /dev/null\n+++ b/hello.txt\n@@ -0,0 +1 @@\n+Hello\n",
        actions_taken=[TaskAction("write_file", {"path": "hello.txt", "content": "Hello"}, "5 bytes", True, 12)],
        files=[{"path": "hello.txt", "file_id": "0197a3c2-5d1e-7b40-9c3f-2f6d1c0b8a12", "size": 5}], notes=[],
    ),
)  # fmt: skip


class TaskRequest(serializers.Serializer):
    """POST /tasks. The workspace begins empty, with these files, or as a clone of this repository."""

    example = {"objective": "Write a greeting to hello.txt"}

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
        files = File.objects.for_tenant(request.tenant).in_bulk(ids)
        if missing := [str(id) for id in ids if id not in files]:
            raise serializers.ValidationError(f"There is no file {missing[0]}.", "not_found")
        return [str(id) for id in dict.fromkeys(ids)]

    def validate_git_url(self, url: str | None) -> str | None:
        """The repository, if it may be cloned."""
        try:
            return url if not url or find_repository(url) else None
        except ValueError as fault:
            raise serializers.ValidationError(str(fault), "not_allowed") from None

    def validate(self, values: JsonObject) -> JsonObject:
        """The request, with one beginning at most."""
        if values.get("git_url") and values.get("file_ids"):
            raise serializers.ValidationError({"git_url": "Give file_ids or git_url, not both."})
        return values


class TaskQuery(serializers.Serializer):
    """The filters of GET /tasks; what is out of range is refused, not clamped."""

    state = ChoiceField(STATES, required=False)
    limit = serializers.IntegerField(default=LIMIT, min_value=1, max_value=MAX_LIMIT)
    offset = serializers.IntegerField(default=0, min_value=0, max_value=2**31)


class TaskLogEntrySerializer(ResponseSerializer):
    """A message of the log."""

    timestamp = serializers.DateTimeField()
    message = serializers.CharField()


class TaskStepSerializer(ResponseSerializer):
    """The start of a tool call, in one line."""

    timestamp = serializers.DateTimeField()
    description = serializers.CharField()


class TaskActionSerializer(ResponseSerializer):
    """A tool call."""

    tool = serializers.CharField()
    params = serializers.DictField()
    result = serializers.CharField()
    success = serializers.BooleanField()
    duration_ms = serializers.IntegerField(allow_null=True)


class TaskResultSerializer(ResponseSerializer):
    """The result of a finished task."""

    success = serializers.BooleanField()
    output = serializers.CharField()
    error = serializers.CharField(allow_null=True)
    actions_taken = TaskActionSerializer(many=True)
    diff = serializers.CharField(allow_null=True)
    files = serializers.ListField(child=serializers.DictField(), help_text="[{path, file_id, size}]")
    notes = serializers.ListField(child=serializers.CharField())


class CodeTaskSerializer(ResponseSerializer):
    """A task; its row is a CodeTask."""

    example = EXAMPLE_TASK

    id = serializers.UUIDField()
    objective = serializers.CharField()
    context = serializers.DictField(allow_null=True)  # type: ignore[assignment]
    state = serializers.ChoiceField(STATES)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    logs = TaskLogEntrySerializer(many=True)
    steps = TaskStepSerializer(many=True)
    result = TaskResultSerializer(allow_null=True)


class CodeTaskListSerializer(ResponseSerializer):
    """Tasks, and how many there are in all; beyond 10,000 the total is 10,000 and inexact."""

    example = {"tasks": [EXAMPLE_TASK], "total": 1, "total_is_exact": True}

    tasks = CodeTaskSerializer(many=True)
    total = serializers.IntegerField()
    total_is_exact = serializers.BooleanField()


class TaskCountsSerializer(ResponseSerializer):
    """How many tasks there are, by state."""

    example = {"total": 7, "pending": 1, "running": 1, "completed": 3, "failed": 1, "cancelled": 1}

    total = serializers.IntegerField()
    pending = serializers.IntegerField()
    running = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class SandboxSerializer(ResponseSerializer):
    """Whether commands can be run."""

    example = {"available": True, "reason": None}

    available = serializers.BooleanField()
    reason = serializers.CharField(allow_null=True)


class TaskHealthSerializer(ResponseSerializer):
    """The state of /tasks."""

    status = serializers.ChoiceField(("healthy",))
    tasks = TaskCountsSerializer()
    sandbox = SandboxSerializer()
