"""The shape of an agent (seed 000 §5)."""

from typing import Any

from rest_framework import serializers

from agents.models import Agent
from agents.models.agent import KEY_MOST
from agents.serializers.keys import KEY, TOOLS_MOST
from agents.tools.calls import find_tools
from config.fields import CharField, FloatField, IntegerField, RegexField, StrictModelSerializer


class ModelProfileSerializer(serializers.Serializer):
    """Which model the agent thinks with; without one, the platform's default."""

    provider = CharField(max_length=64, allow_blank=True, default="")
    model = RegexField(r"^[\w.:/@+-]*\Z", max_length=200, allow_blank=True, default="")
    temperature = FloatField(min_value=0, max_value=2, required=False, allow_null=True)
    max_tokens = IntegerField(min_value=1, max_value=1_000_000, required=False, allow_null=True)

    def to_representation(self, instance: dict[str, Any]) -> dict[str, Any]:
        """The profile without what it leaves open."""
        return {name: value for name, value in super().to_representation(instance).items() if value is not None}


class AgentSerializer(StrictModelSerializer):
    """An agent. A POST with a known id replaces it, so that each field has a default."""

    id = RegexField(KEY, source="key", required=False)
    description = CharField(allow_blank=True, default="")
    instructions = CharField(allow_blank=True, default="", trim_whitespace=False)
    model_profile = ModelProfileSerializer(default=dict)
    allowed_tools = serializers.ListField(child=CharField(max_length=KEY_MOST), max_length=TOOLS_MOST, default=list)

    class Meta:
        model = Agent
        fields = [
            "id", "name", "description", "instructions", "model_profile", "allowed_tools", "is_active",
            "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["created_at", "updated_at"]
        extra_kwargs = {"is_active": {"default": True}}

    def validate_model_profile(self, given: dict[str, Any]) -> dict[str, Any]:
        """The profile; an update changes only what it names."""
        known = self.instance.model_profile if self.partial and isinstance(self.instance, Agent) else {}
        return {"provider": "", "model": ""} | known | given

    def validate_allowed_tools(self, ids: list[str]) -> list[str]:
        """The ids of tools that exist."""
        found = {tool.id for tool in find_tools(self.context["request"].tenant.pk, ids)}
        missing = [id for id in ids if id not in found]
        if missing:
            raise serializers.ValidationError(
                f"There is no tool {', '.join(missing)}; create it first or leave it out."
            )
        return list(dict.fromkeys(ids))

    def update(self, instance: Agent, validated_data: dict[str, Any]) -> Agent:
        """The changed agent; its id stays."""
        validated_data.pop("key", None)
        for name, value in validated_data.items():
            setattr(instance, name, value)
        instance.save()
        return instance
