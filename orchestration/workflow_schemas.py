"""What the OpenAPI document says of the workflow routes."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers

from orchestration.models import Mode
from orchestration.schemas import RunShape
from orchestration.serializers.workflows import WorkflowSerializer, WorkflowVersionSerializer


class WorkflowShape(WorkflowSerializer):
    """A workflow, with sentences about what is doubtful in its definition."""

    warnings = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta(WorkflowSerializer.Meta):
        fields = (*WorkflowSerializer.Meta.fields, "warnings")


class RunStartShape(serializers.Serializer):
    """What a run is started with. Limits may stand in the input as well."""

    input = serializers.DictField(required=False)
    mode = serializers.ChoiceField(Mode.choices, default=Mode.DRAFT)
    cost_limit_cents = serializers.FloatField(required=False, allow_null=True, min_value=0)
    llm_calls_limit = serializers.IntegerField(required=False, allow_null=True, min_value=0)
    latency_slo_ms = serializers.IntegerField(required=False, allow_null=True, min_value=1)
    priority = serializers.IntegerField(
        required=False, default=0, min_value=-10, max_value=10, help_text="Among the tenant's runs; higher goes first."
    )
    user_id = serializers.CharField(required=False, help_text="The caller's own end user; recorded, grants nothing.")
    tenant_id = serializers.CharField(required=False, help_text="Only the caller's own.")


class WorkflowExecutionShape(serializers.Serializer):
    """A run that was started by execute."""

    workflow_id = serializers.UUIDField()
    execution_id = serializers.UUIDField()
    status = serializers.CharField()
    started_at = serializers.DateTimeField()


class WorkflowDeletedShape(serializers.Serializer):
    """A sentence."""

    message = serializers.CharField()


_key = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="The same key and body start one run and replay its answer.",
)

workflow_detail = extend_schema(responses=WorkflowShape)
workflow_create = extend_schema(responses={201: WorkflowShape})
workflow_update = extend_schema(responses=WorkflowShape)
workflow_delete = extend_schema(responses={200: WorkflowDeletedShape})
workflow_versions = extend_schema(operation_id="workflows_versions", responses=WorkflowVersionSerializer(many=True))
workflow_runs = extend_schema(
    operation_id="workflows_start_run", parameters=[_key], request=RunStartShape, responses={201: RunShape}
)
program_runs = extend_schema(
    operation_id="programs_start_run", parameters=[_key], request=RunStartShape, responses={201: RunShape}
)
workflow_execute = extend_schema(
    operation_id="workflows_execute",
    parameters=[_key],
    request=OpenApiTypes.OBJECT,
    responses={201: WorkflowExecutionShape},
)
