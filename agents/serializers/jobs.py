"""Requests of /api/ai, and responses beside the jobs themselves (seed 002)."""

from rest_framework import serializers

from agents.jobs.fields import IdField
from agents.jobs.registry import JobAgent
from agents.jobs.serializers import EXAMPLE_RUN
from agents.jobs.statuses import STATUSES
from agents.jobs.usage import MonthUsage
from config.errors import DomainError
from config.http.fields import CharField, ChoiceField, ObjectField
from config.http.serializers import ResponseSerializer
from config.outbound import client
from orchestration.models import Mode
from orchestration.outgoing.webhooks import secret_fault


class Related(serializers.Serializer):
    """What a job is about."""

    default_error_messages = {"invalid": "Must be an object with type and id."}
    type = CharField(max_length=100)
    id = IdField(help_text="A number, a text or a UUID; what is no UUID becomes one.")


class JobRequest(serializers.Serializer):
    """POST /api/ai/agents/{agent_key}/run/."""

    example = {
        "input": {"message": "When is breakfast?"},
        "related": {"type": "booking", "id": 4711},
        "idempotency_key": "booking-4711-breakfast",
        "mode": "auto",
    }

    input = ObjectField(default=dict)
    related = Related(required=False, allow_null=True, default=None)
    idempotency_key = CharField(max_length=255, required=False, allow_null=True, default=None)
    mode = ChoiceField(Mode.choices, default=Mode.AUTO)
    callback_url = CharField(max_length=2_000, required=False, allow_null=True, allow_blank=True, default="")
    callback_secret = CharField(max_length=200, required=False, allow_null=True, allow_blank=True, default="")

    def validate_callback_url(self, url: str | None) -> str:
        """The URL, if it can be called."""
        try:
            return str(client.target(url)) if url else ""
        except DomainError as refusal:
            raise serializers.ValidationError(refusal.message, "invalid") from None

    def validate_callback_secret(self, secret: str | None) -> str:
        """The secret, if it can sign."""
        if secret and (fault := secret_fault(secret)):
            raise serializers.ValidationError(fault, "invalid")
        return secret or ""


class JobQuery(serializers.Serializer):
    """The filters of GET /api/ai/jobs/; a related_id counts only beside its related_type."""

    agent = CharField(required=False, max_length=64)
    status = ChoiceField(STATUSES, required=False)
    related_type = CharField(required=False, max_length=100)
    related_id = CharField(required=False, max_length=255)


class UsageQuery(serializers.Serializer):
    """The filters of GET /api/ai/usage/monthly/."""

    months = serializers.IntegerField(default=6, min_value=1, max_value=24)
    agent = CharField(required=False, max_length=64)
    model = CharField(required=False, max_length=200)
    user_id = serializers.UUIDField(required=False)


class StartedJobSerializer(ResponseSerializer):
    """The job that a request has started, or an earlier request with the same key."""

    example = {"job_id": EXAMPLE_RUN.id, "status": "pending", "created": True}

    job_id = serializers.UUIDField()
    status = serializers.ChoiceField(STATUSES)
    created = serializers.BooleanField()


class JobAgentSerializer(ResponseSerializer):
    """An agent of jobs; its row is a JobAgent."""

    example = JobAgent("agent.concierge", "Concierge", "Answers the guests of a hotel.")

    key = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    version = serializers.CharField()
    require_llm = serializers.BooleanField()


class ModelHealthSerializer(ResponseSerializer):
    """Whether the model answers."""

    example = {"healthy": True, "provider": "openai", "base_url": None, "model": "gpt-4o-mini"}

    healthy = serializers.BooleanField()
    provider = serializers.CharField()
    base_url = serializers.CharField(allow_null=True)
    model = serializers.CharField()
    error = serializers.CharField(required=False, help_text="Absent from a healthy one.")


class JobHealthSerializer(ResponseSerializer):
    """The state of jobs and of what they need."""

    llm = ModelHealthSerializer()
    agents = JobAgentSerializer(many=True)
    status = serializers.ChoiceField(("healthy", "degraded"))


class JobUsageSerializer(ResponseSerializer):
    """The usage of a month's jobs; its row is a MonthUsage."""

    example = MonthUsage("2026-01", 12, 30, 9_300, 1_260, 0.42)

    month = serializers.CharField(help_text="YYYY-MM, in UTC.")
    jobs = serializers.IntegerField()
    llm_calls = serializers.IntegerField()
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    tokens_used = serializers.IntegerField()
    cost_cents = serializers.FloatField()


class CallbackSecretSerializer(ResponseSerializer):
    """The secret that signs callbacks."""

    secret = serializers.CharField()
