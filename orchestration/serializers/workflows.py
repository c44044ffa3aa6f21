"""Workflows and their versions (seed 000 §2), and what a request to start a run may hold."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from config.errors import Invalid
from config.http.fields import CharField, ChoiceField, FloatField, IntegerField, ObjectField, StrictModelSerializer
from config.http.serializers import ResponseSerializer
from config.values.json_types import JsonObject
from governance.budgets.reservations import MICRO_PER_CENT
from orchestration.models import Mode, Status, Workflow, WorkflowType, WorkflowVersion
from orchestration.serializers.definition import EXAMPLE, DefinitionField
from orchestration.serializers.runs import EXAMPLE_RUN
from orchestration.workflows.definition.workflow_versions import warnings_of

MAX_CENTS = 10**12
MAX_CALLS = 10**9
MAX_MS = 2**31 - 1


class WorkflowSerializer(StrictModelSerializer):
    """A workflow. `revision` is the number of its latest version; the definition comes back as it was stored."""

    example = {"name": "Refund", "type": "graph", "definition": EXAMPLE}

    name = CharField(max_length=255)
    version = CharField(max_length=64, default="1.0.0")
    type = ChoiceField(choices=WorkflowType.choices, default=WorkflowType.LINEAR)
    description = CharField(required=False, allow_blank=True, max_length=10_000)
    definition = DefinitionField()

    class Meta:
        model = Workflow
        fields: tuple[str, ...] = (
            *("id", "name", "version", "type", "description", "definition", "revision", "created_at", "updated_at"),
        )
        read_only_fields = ("id", "revision", "created_at", "updated_at")


class WorkflowDetailSerializer(WorkflowSerializer):
    """A workflow, with sentences about what is doubtful in its definition."""

    warnings = serializers.SerializerMethodField()

    class Meta(WorkflowSerializer.Meta):
        fields = (*WorkflowSerializer.Meta.fields, "warnings")

    def get_warnings(self, workflow: Workflow) -> list[str]:
        return warnings_of(workflow)


class WorkflowVersionSerializer(StrictModelSerializer):
    """A workflow as it was at one save."""

    definition = DefinitionField(read_only=True)

    class Meta:
        model = WorkflowVersion
        fields = ("workflow_id", "revision", "type", "definition", "created_by", "created_at")
        read_only_fields = fields


class StartedWorkflowSerializer(ResponseSerializer):
    """The run that execute has started."""

    example = EXAMPLE_RUN

    workflow_id = serializers.UUIDField(source="subject_id")
    execution_id = serializers.UUIDField(source="id")
    status = serializers.SerializerMethodField()
    started_at = serializers.DateTimeField(source="created_at")

    def get_status(self, run: Any) -> str:
        return str(Status.PENDING.value)  # also in the replay of the response, when the run is further on


class RunStartRequest(serializers.Serializer):
    """What a run is started with. Limits may stand in the input as well; the body's own win."""

    example = {"input": {"sum": 120}, "mode": "auto", "cost_limit_cents": 50}

    input = ObjectField(required=False)
    mode = ChoiceField(Mode.choices, default=Mode.DRAFT)
    cost_limit_cents = FloatField(
        source="cost_limit_micro", required=False, allow_null=True, min_value=0, max_value=MAX_CENTS
    )
    llm_calls_limit = IntegerField(
        source="calls_limit", required=False, allow_null=True, min_value=0, max_value=MAX_CALLS
    )
    latency_slo_ms = IntegerField(
        source="latency_limit_ms", required=False, allow_null=True, min_value=1, max_value=MAX_MS
    )
    priority = IntegerField(
        required=False, default=0, min_value=-10, max_value=10, help_text="Among the tenant's runs; higher goes first."
    )
    user_id = CharField(required=False, help_text="The caller's own end user; recorded, grants nothing.")
    tenant_id = CharField(required=False, help_text="Only the caller's own.")


LIMITS: dict[str, FloatField | IntegerField] = {
    name: field
    for name, field in RunStartRequest().fields.items()
    if name != "priority" and isinstance(field, FloatField | IntegerField)
}


def start_fields(body: Mapping[str, Any]) -> JsonObject:
    """start_run's input, mode and limits from a body like RunStartRequest; Invalid names each wrong field.

    Without a mode the run is a draft: nothing acts before a person has looked. It reads the bounds of the serializer's
    fields and does without its machinery, because this is the busiest route.
    """
    errors: dict[str, list[str]] = {}
    input = body.get("input")
    if input is None:
        input = {}
    elif not isinstance(input, dict):
        errors["input"] = ["Must be an object."]
        input = {}
    mode = body.get("mode", Mode.DRAFT)
    if not isinstance(mode, str) or mode not in Mode:
        errors["mode"] = ["Must be draft or auto."]
    fields = {"input": input, "mode": mode}
    for name, field in LIMITS.items():
        source, path = (body, name) if body.get(name) is not None else (input, f"input.{name}")
        value = source.get(name)
        if value is None:
            continue
        whole = isinstance(field, IntegerField)
        if not _is_number(value, whole) or not field.min_value <= value <= field.max_value:
            errors[path] = [f"Must be a {'whole ' if whole else ''}number from {field.min_value} to {field.max_value}."]
        else:
            fields[str(field.source)] = round(value * MICRO_PER_CENT) if name == "cost_limit_cents" else value
    priority = body.get("priority", 0)
    if not _is_number(priority, whole=True) or not -10 <= priority <= 10:
        errors["priority"] = ["Must be a whole number from -10 to 10; the tenant's higher ones go first."]
    if errors:
        raise Invalid(errors)
    return fields | {"priority": priority}


def _is_number(value: Any, whole: bool) -> bool:
    return isinstance(value, int if whole else int | float) and not isinstance(value, bool)
