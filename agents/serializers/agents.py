"""The shape of an agent (seed 000 §5)."""

from rest_framework import serializers

from agents.models import Agent
from agents.models.agent import MAX_KEY_LENGTH
from agents.serializers.keys import KEY, MAX_TOOLS
from agents.tools.lookup import find_tools
from config.http.fields import (
    BooleanField,
    CharField,
    DateTimeField,
    FloatField,
    IntegerField,
    ObjectField,
    RegexField,
    StrictModelSerializer,
)
from config.values.json_schema import schema_problems
from config.values.json_types import JsonObject

MAX_FALLBACKS = 5


class ModelProfileSerializer(serializers.Serializer):
    """The agent's model; without one, the platform's default. Responses have no keys without a value."""

    example = {"provider": "openai", "model": "gpt-4o-mini", "temperature": 0.2}
    optional_keys = ("temperature", "max_tokens", "timeout_s", "fallbacks")

    provider = CharField(max_length=64, allow_blank=True, default="")
    model = RegexField(r"^[\w.:/@+-]*\Z", max_length=200, allow_blank=True, default="")
    temperature = FloatField(min_value=0, max_value=2, required=False, allow_null=True)
    max_tokens = IntegerField(min_value=1, max_value=1_000_000, required=False, allow_null=True)
    timeout_s = FloatField(min_value=1, max_value=600, required=False, allow_null=True)

    def to_representation(self, instance: JsonObject) -> JsonObject:
        """The profile without what it leaves open."""
        return {name: value for name, value in super().to_representation(instance).items() if value is not None}


class ModelProfileWithFallbacks(ModelProfileSerializer):
    """The agent's model, and those that are called in its place when it fails."""

    example = {"provider": "openai", "model": "gpt-4o-mini", "fallbacks": [{"provider": "openai", "model": "gpt-4o"}]}

    fallbacks = ModelProfileSerializer(many=True, required=False)

    def validate_fallbacks(self, value: list[JsonObject]) -> list[JsonObject]:
        """A few models, each named."""
        if len(value) > MAX_FALLBACKS:
            raise serializers.ValidationError(f"At most {MAX_FALLBACKS} fallbacks.")
        if not all(profile.get("model") for profile in value):
            raise serializers.ValidationError("Each fallback names its model.")
        return [dict(profile) for profile in value]


class MemorySerializer(serializers.Serializer):
    """What the agent does with memory by itself; it does both unless the agent says false."""

    example = {"recall": True, "store": False}
    optional_keys = ("recall", "store")

    recall = BooleanField(required=False, help_text="Look for what has to do with the question.")
    store = BooleanField(required=False, help_text="Keep its longer answers as the run's memory.")


class AgentSerializer(StrictModelSerializer):
    """An agent. A POST with an existing id replaces it, so that each field has a default."""

    example = {
        "id": "agent.concierge",
        "name": "Concierge",
        "instructions": "Answer the guests of the hotel.",
        "model_profile": {"provider": "openai", "model": "gpt-4o-mini"},
        "allowed_tools": ["memory.search"],
    }

    id = RegexField(KEY, source="key", required=False)
    description = CharField(allow_blank=True, default="")
    instructions = CharField(allow_blank=True, default="", trim_whitespace=False)
    model_profile = ModelProfileWithFallbacks(default=dict)
    allowed_tools = serializers.ListField(
        child=CharField(max_length=MAX_KEY_LENGTH), max_length=MAX_TOOLS, default=list
    )

    output_schema = ObjectField(allow_null=True, default=None, help_text="A JSON Schema that every answer must fit.")
    max_turns = IntegerField(min_value=1, max_value=100, default=10, help_text="Model calls that one answer may take.")
    memory = MemorySerializer(default=dict)
    created_at = DateTimeField(read_only=True, allow_null=True, help_text="Null for a built-in one.")
    updated_at = DateTimeField(read_only=True, allow_null=True)

    class Meta:
        model = Agent
        fields = [
            "id", "name", "description", "instructions", "model_profile", "allowed_tools", "output_schema", "max_turns",
            "memory", "is_active", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["created_at", "updated_at"]
        extra_kwargs = {"is_active": {"default": True}}

    def validate_model_profile(self, value: JsonObject) -> JsonObject:
        """The profile; an update changes only what it names."""
        current = self.instance.model_profile if self.partial and isinstance(self.instance, Agent) else {}
        return {"provider": "", "model": ""} | current | value

    def validate_output_schema(self, schema: JsonObject | None) -> JsonObject | None:
        """A schema that answers can be checked with."""
        if schema is not None and (wrong := schema_problems(schema)):
            raise serializers.ValidationError(wrong)
        return schema

    def validate_memory(self, value: JsonObject) -> JsonObject:
        """What is named, and both where nothing is."""
        current = self.instance.memory if self.partial and isinstance(self.instance, Agent) else {}
        return {"recall": True, "store": True} | current | value

    def validate_allowed_tools(self, ids: list[str]) -> list[str]:
        """The ids of tools that exist."""
        existing = {tool.id for tool in find_tools(self.context["request"].tenant.pk, ids)}
        missing = [id for id in ids if id not in existing]
        if missing:
            raise serializers.ValidationError(
                f"There is no tool {', '.join(missing)}; create it first or leave it out."
            )
        return list(dict.fromkeys(ids))

    def update(self, instance: Agent, validated_data: JsonObject) -> Agent:
        """The changed agent; its id stays."""
        validated_data.pop("key", None)
        for name, value in validated_data.items():
            setattr(instance, name, value)
        instance.save()
        return instance
