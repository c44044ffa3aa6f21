"""Jobs in responses and in callbacks (seed 002)."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from rest_framework import serializers

from agents.jobs.job import Job
from agents.jobs.statuses import STATUSES
from agents.loop.model_calls import MODEL_RETRY
from agents.models import AgentJob
from config.http.serializers import ResponseSerializer
from governance.serializers.money import CentsField
from orchestration.models import Run, Status

EXAMPLE_MOMENT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
EXAMPLE_RUN = Run(
    id=UUID("0197a3c2-5d1e-7b40-9c3f-2f6d1c0b8a11"), kind="agent_job", subject_id="agent.concierge",
    status=Status.COMPLETED, tenant_id="acme", input={"message": "When is breakfast?"},
    result={"text": "From 7 to 10.", "toolCalls": []},
    created_by=UUID("0197a3c1-0000-7000-8000-000000000001"), created_at=EXAMPLE_MOMENT, started_at=EXAMPLE_MOMENT,
    finished_at=EXAMPLE_MOMENT + timedelta(seconds=1), prompt_tokens=310, completion_tokens=42, cost_micro=1_234,
)  # fmt: skip
EXAMPLE_JOB = Job(
    EXAMPLE_RUN, AgentJob(related_type="alert", related_id=UUID("0197a3c2-5d1e-7b40-9c3f-2f6d1c0b8a12")), attempts=1
)


class JobListItemSerializer(ResponseSerializer):
    """A job of the list; its row is a Job."""

    example = EXAMPLE_JOB

    id = serializers.UUIDField(source="run.id")
    agent_key = serializers.CharField(source="run.subject_id")
    status = serializers.ChoiceField(STATUSES)
    created_at = serializers.DateTimeField(source="run.created_at")
    completed_at = serializers.DateTimeField(source="run.finished_at", allow_null=True)
    execution_time_ms = serializers.IntegerField(allow_null=True)


class JobSerializer(JobListItemSerializer):
    """A job with input and output: the data of a callback."""

    input_data = serializers.DictField(source="run.input")
    output_data = serializers.DictField(source="output", allow_null=True)
    related_type = serializers.CharField(allow_null=True)
    related_id = serializers.UUIDField(allow_null=True)
    error_message = serializers.CharField(allow_null=True)
    error_type = serializers.CharField(allow_null=True)
    tokens_used = serializers.IntegerField(source="tokens")
    cost_cents = CentsField(source="run.cost_micro")
    attempts = serializers.IntegerField(help_text="The most tries that a step of the job needed; 0 before it begins.")
    max_attempts = serializers.SerializerMethodField()
    tenant_id = serializers.CharField(source="run.tenant_id")
    created_by = serializers.UUIDField(source="run.created_by", allow_null=True)
    started_at = serializers.DateTimeField(source="run.started_at", allow_null=True)

    def get_max_attempts(self, job: Job) -> int:
        return MODEL_RETRY.max_attempts


class CallbackSerializer(ResponseSerializer):
    """The state of a job's callback."""

    url = serializers.CharField()
    status = serializers.CharField(help_text="waiting, delivered or failed")
    deliveries = serializers.ListField(child=serializers.DictField(), help_text="Each try, the oldest first.")


class JobDetailSerializer(JobSerializer):
    """A job with input, output and the state of its callback."""

    callback = CallbackSerializer(allow_null=True)
