"""What callers of /api/ai send, and what they get (seed 002)."""

from rest_framework import serializers

from agents.jobs.fields import IdField
from agents.jobs.payloads import STATUSES
from config.errors import DomainError
from config.http.fields import CharField, ChoiceField, DateTimeField, ObjectField
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


class StartedShape(serializers.Serializer):
    """The answer to a start."""

    job_id = serializers.UUIDField()
    status = serializers.CharField()
    created = serializers.BooleanField()


class JobAgentShape(serializers.Serializer):
    """An agent of jobs."""

    key = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    version = serializers.CharField()
    require_llm = serializers.BooleanField()


class JobListShape(serializers.Serializer):
    """A job of the list."""

    id = serializers.UUIDField()
    agent_key = serializers.CharField()
    status = serializers.ChoiceField(STATUSES)
    created_at = DateTimeField()
    completed_at = DateTimeField(allow_null=True)
    execution_time_ms = serializers.IntegerField(allow_null=True)


class CallbackShape(serializers.Serializer):
    """How the callback of a job stands."""

    url = serializers.CharField()
    status = serializers.CharField(help_text="waiting, delivered or failed")
    deliveries = serializers.ListField(child=serializers.DictField(), help_text="Each try, the oldest first.")


class JobShape(JobListShape):
    """A job whole."""

    input_data = serializers.DictField()
    output_data = serializers.DictField(allow_null=True)
    related_type = serializers.CharField(allow_null=True)
    related_id = serializers.UUIDField(allow_null=True)
    error_message = serializers.CharField(allow_null=True)
    error_type = serializers.CharField(allow_null=True)
    tokens_used = serializers.IntegerField()
    cost_cents = serializers.FloatField()
    attempts = serializers.IntegerField()
    max_attempts = serializers.IntegerField()
    tenant_id = serializers.CharField()
    created_by = serializers.UUIDField(allow_null=True)
    started_at = DateTimeField(allow_null=True)
    callback = CallbackShape(allow_null=True)


class ModelHealthShape(serializers.Serializer):
    """Whether the model answers."""

    healthy = serializers.BooleanField()
    provider = serializers.CharField()
    base_url = serializers.CharField(allow_null=True)
    model = serializers.CharField()
    error = serializers.CharField(required=False)


class HealthShape(serializers.Serializer):
    """The state of jobs and what they need."""

    llm = ModelHealthShape()
    agents = JobAgentShape(many=True)
    status = serializers.CharField(help_text="healthy or degraded")


class JobUsageShape(serializers.Serializer):
    """What the jobs of a month have used."""

    month = serializers.CharField(help_text="YYYY-MM, in UTC.")
    jobs = serializers.IntegerField()
    llm_calls = serializers.IntegerField()
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    tokens_used = serializers.IntegerField()
    cost_cents = serializers.FloatField()


class SecretShape(serializers.Serializer):
    """The secret that signs callbacks."""

    secret = serializers.CharField()
