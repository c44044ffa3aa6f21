"""What a turn may be asked with, and how conversations look outside."""

from typing import Any

from rest_framework import serializers

from agents.models import Conversation
from config.http.fields import CharField, ObjectField, RegexField, StrictModelSerializer

MAX_MESSAGE_LENGTH = 200_000


class TurnRequest(serializers.Serializer):
    """POST /agents/{id}/conversation. Limits are those of runs."""

    message = CharField(max_length=MAX_MESSAGE_LENGTH, trim_whitespace=False)
    context = ObjectField(  # type: ignore[assignment]
        required=False, default=dict, help_text="{user_id?, tenant_id?, mode?: draft|auto, …}"
    )
    conversation_id = RegexField(
        r"^[\x21-\x7e]{1,128}\Z", required=False, allow_null=True, default=None, help_text="Continues a conversation."
    )
    cost_limit_cents = serializers.FloatField(required=False, allow_null=True, min_value=0)
    llm_calls_limit = serializers.IntegerField(required=False, allow_null=True, min_value=0)
    latency_slo_ms = serializers.IntegerField(required=False, allow_null=True, min_value=1)

    def validate_message(self, message: str) -> str:
        """A text that says something."""
        if not message.strip():
            raise serializers.ValidationError("This field may not be blank.")
        return message


class ConversationSerializer(StrictModelSerializer):
    """A conversation."""

    conversation_id = serializers.CharField(source="key", read_only=True)
    agent_id = serializers.CharField(source="agent_key", read_only=True)

    class Meta:
        model = Conversation
        fields = ("conversation_id", "agent_id", "title", "created_at", "updated_at")
        read_only_fields = fields


class TurnShape(serializers.Serializer):
    """One turn of a conversation."""

    number = serializers.IntegerField()
    run_id = serializers.UUIDField()
    agent_id = serializers.CharField()
    status = serializers.CharField()
    message = serializers.CharField()
    answer = serializers.CharField(allow_null=True)
    tool_calls = serializers.ListField(child=serializers.DictField())
    created_at = serializers.DateTimeField()


class ConversationShape(ConversationSerializer):
    """A conversation with its turns, the oldest first."""

    turns = TurnShape(many=True, read_only=True)

    class Meta(ConversationSerializer.Meta):
        fields = (*ConversationSerializer.Meta.fields, "turns")  # type: ignore[assignment]


def turn_json(number: int, run: Any) -> dict[str, Any]:
    """A turn's run as the conversation shows it."""
    answered = run.result if run.status == "completed" else {}
    return {
        "number": number,
        "run_id": str(run.id),
        "agent_id": run.subject_id,
        "status": run.status,
        "message": run.input["message"],
        "answer": answered.get("text"),
        "tool_calls": answered.get("toolCalls") or [],
        "created_at": run.created_at.isoformat().replace("+00:00", "Z"),
    }
