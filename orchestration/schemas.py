"""What the OpenAPI document says of the run routes: shapes of answers, parameters, headers."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from orchestration.models import Mode, Status, StepStatus
from orchestration.serializers.requests import EventRequest, ResumeRequest, RunQuery

F = TypeVar("F", bound=Callable[..., Any])


class UsageShape(serializers.Serializer):
    """What a run has used so far."""

    llm_calls = serializers.IntegerField()
    cost_cents = serializers.FloatField()
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()


class RunShape(serializers.Serializer):
    """A run of any kind."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    workflow_id = serializers.CharField(help_text="What is run: the workflow's id, or another kind's subject.")
    workflow_version = serializers.IntegerField(allow_null=True)
    status = serializers.ChoiceField(Status.choices)
    mode = serializers.ChoiceField(Mode.choices)
    input = serializers.JSONField()
    result = serializers.JSONField(allow_null=True)
    failure_reason = serializers.CharField(allow_null=True)
    usage = UsageShape()
    budget = serializers.DictField()
    parent_run_id = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class EventShape(serializers.Serializer):
    """An event of a run's trace; `seq` has no gaps."""

    id = serializers.CharField()
    seq = serializers.IntegerField()
    step_id = serializers.UUIDField(allow_null=True)
    kind = serializers.CharField()
    payload = serializers.DictField()
    ts = serializers.DateTimeField()


class StepShape(serializers.Serializer):
    """A step of a run."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    node_id = serializers.CharField()
    type = serializers.CharField()
    status = serializers.ChoiceField(StepStatus.choices)
    input = serializers.JSONField(allow_null=True)
    output = serializers.JSONField(allow_null=True)
    error = serializers.DictField(allow_null=True)
    empty_references = serializers.ListField(
        child=serializers.CharField(), help_text="References of its config that led nowhere, such as $input.nmae."
    )
    tries = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class SentShape(serializers.Serializer):
    """An event that was taken for a run."""

    message = serializers.CharField()
    id = serializers.IntegerField()
    run_id = serializers.UUIDField()
    name = serializers.CharField()


_prefer = OpenApiParameter("Prefer", str, OpenApiParameter.HEADER, description="wait=N (RFC 7240): N up to 30 s.")
_seen = OpenApiParameter("Last-Event-ID", int, OpenApiParameter.HEADER, description="The last seq that was seen.")
_window = OpenApiParameter("window", int, description="Repeat the last so many events in each update (0 to 100).")
_after = OpenApiParameter("after", int, description="Only events after this seq.")

run_list = extend_schema(operation_id="runs_list", parameters=[RunQuery], responses=RunShape(many=True))
run_detail = extend_schema(operation_id="runs_get", parameters=[_prefer], responses=RunShape)
run_steps = extend_schema(operation_id="runs_steps", responses=StepShape(many=True))
run_resume = extend_schema(request=ResumeRequest, responses=RunShape)
run_cancel = extend_schema(operation_id="runs_cancel", request=None, responses=RunShape)
_stream = OpenApiResponse(OpenApiTypes.STR, description="text/event-stream: connected, update…, complete, or error")
run_stream = extend_schema(
    operation_id="runs_stream", parameters=[_seen, _after, _window], responses={(200, "text/event-stream"): _stream}
)
_events_get = extend_schema(
    operation_id="runs_events", methods=["GET"], parameters=[_after], responses=EventShape(many=True)
)
_events_post = extend_schema(
    operation_id="runs_send_event", methods=["POST"], request=EventRequest, responses=SentShape
)


def run_events(view: F) -> F:
    """Both methods of /runs/{id}/events."""
    return _events_get(_events_post(view))
