"""Requests to agents, and conversations in responses."""

from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from rest_framework import serializers

from agents.models import Conversation
from config.http.fields import CharField, ObjectField, RegexField, StrictModelSerializer
from config.http.serializers import ResponseSerializer
from config.values.json_types import JsonObject
from orchestration.models import Run, Status

MAX_MESSAGE_LENGTH = 200_000


class TurnRequest(serializers.Serializer):
    """POST /agents/{id}/conversation. Limits are those of runs."""

    example = {"message": "When is breakfast?", "context": {"mode": "draft"}}

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


class TurnRow(NamedTuple):
    """A turn of a conversation, and its run."""

    number: int
    run: Run


class TurnSerializer(ResponseSerializer):
    """One turn of a conversation; `answer` is null as long as there is none."""

    example = TurnRow(
        1,
        Run(
            id=UUID("0197a3c2-5d1e-7b40-9c3f-2f6d1c0b8a11"), subject_id="agent.concierge", status=Status.COMPLETED,
            input={"message": "When is breakfast?"}, result={"text": "From 7 to 10.", "toolCalls": []},
            created_at=datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
        ),
    )  # fmt: skip

    number = serializers.IntegerField()
    run_id = serializers.UUIDField(source="run.id")
    agent_id = serializers.CharField(source="run.subject_id")
    status = serializers.CharField(source="run.status", help_text="As of runs.")
    message = serializers.SerializerMethodField()
    answer = serializers.SerializerMethodField()
    tool_calls = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(source="run.created_at")

    def get_message(self, turn: TurnRow) -> str:
        return turn.run.input["message"]

    def get_answer(self, turn: TurnRow) -> str | None:
        return _result(turn.run).get("text")

    def get_tool_calls(self, turn: TurnRow) -> list[JsonObject]:
        return _result(turn.run).get("toolCalls") or []


def _result(run: Run) -> JsonObject:
    return run.result if run.status == Status.COMPLETED else {}


class ConversationWithTurnsSerializer(ConversationSerializer):
    """A conversation with its turns, the oldest first."""

    turns = TurnSerializer(many=True, read_only=True)

    class Meta(ConversationSerializer.Meta):
        fields = (*ConversationSerializer.Meta.fields, "turns")  # type: ignore[assignment]
