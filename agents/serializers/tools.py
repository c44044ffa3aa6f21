"""The shape of a tool (seed 000 §6) and of its executions (seed 004)."""

from typing import Any

from rest_framework import serializers

from agents.models import HandlerType, RiskLevel, Tool
from agents.serializers.handlers import checked_config, origin
from agents.serializers.keys import KEY
from config.http.fields import (
    BooleanField,
    CharField,
    ChoiceField,
    DateTimeField,
    ObjectField,
    RegexField,
    StrictModelSerializer,
)
from config.masking import MASK, mask
from config.values.json_schema import schema_problems
from governance import vault

EMPTY_SCHEMA = {"type": "object", "properties": {}}


class ToolSerializer(StrictModelSerializer):
    """A tool. A POST with a known id replaces it, so that each field has a default."""

    id = RegexField(KEY, source="key", required=False)
    description = CharField(allow_blank=True, default="")
    input_schema = ObjectField(default=EMPTY_SCHEMA.copy)
    handler_type = ChoiceField(HandlerType.choices, default=HandlerType.HTTP)
    handler_config = ObjectField()
    risk_level = ChoiceField(RiskLevel.choices, default=RiskLevel.LOW)
    side_effects = serializers.ListField(child=CharField(max_length=64), max_length=20, default=list)

    idempotent = BooleanField(default=True, help_text="False: a call whose answer was lost is not made again.")
    created_at = DateTimeField(read_only=True, allow_null=True, help_text="Null for a built-in one.")
    updated_at = DateTimeField(read_only=True, allow_null=True)

    class Meta:
        model = Tool
        fields = [
            "id", "name", "description", "input_schema", "handler_type", "handler_config", "risk_level", "side_effects",
            "idempotent", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["created_at", "updated_at"]

    def validate_input_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A schema that inputs can be checked with."""
        problems = schema_problems(schema)
        if problems:
            raise serializers.ValidationError(problems)
        return schema or EMPTY_SCHEMA.copy()

    def validate_handler_type(self, kind: str) -> str:
        """Any but builtin: those are part of the platform."""
        if kind == HandlerType.BUILTIN:
            raise serializers.ValidationError("Built-in tools are part of the platform; make one of http, remote, mcp "
                                              "or code.")  # fmt: skip
        return kind

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The config checked for its handler, its secrets sealed."""
        known = self.instance if isinstance(self.instance, Tool) else None
        kind = attrs.get("handler_type") or (known.handler_type if known else HandlerType.HTTP)
        if "handler_config" not in attrs and known and known.handler_type == kind:
            return attrs
        config = attrs.get("handler_config", {})
        same = known and known.handler_type == kind and origin(known.handler_config) == origin(config)
        kept = (vault.decrypt(known.sealed) or {}) if known and same else {}  # a secret is for one server alone
        try:
            shown, secret = checked_config(kind, config, kept)
        except serializers.ValidationError as fault:
            raise serializers.ValidationError({"handler_config": fault.detail}) from None
        self.new_secret = secret.get("secret") if secret.get("secret") != kept.get("secret") else None
        sealed = vault.encrypt(secret) if any(secret.values()) else ""
        return attrs | {"handler_config": shown, "sealed": sealed}

    new_secret: str | None = None

    def update(self, instance: Tool, validated_data: dict[str, Any]) -> Tool:
        """The changed tool; its id stays."""
        validated_data.pop("key", None)
        for name, value in validated_data.items():
            setattr(instance, name, value)
        instance.save()
        return instance

    def to_representation(self, instance: Tool) -> dict[str, Any]:
        """The tool; its secrets are masked."""
        body = super().to_representation(instance)
        kept = (vault.decrypt(instance.sealed) or {}) if instance.sealed else {}
        config = dict(body["handler_config"])
        if instance.handler_type in (HandlerType.HTTP, HandlerType.REMOTE, HandlerType.MCP):
            config["headers"] = mask(kept.get("headers") or {}, length=None)
        if kept.get("secret"):
            config["secret"] = MASK
        return body | {"handler_config": config}


class ToolExecutionSerializer(serializers.Serializer):
    """One execution of a tool outside of runs."""

    id = serializers.UUIDField()
    tool_id = serializers.CharField()
    status = serializers.ChoiceField(["running", "completed", "failed"])
    input_data = serializers.JSONField()
    output_data = serializers.JSONField(allow_null=True)
    error_message = serializers.CharField(allow_null=True)
    execution_time_ms = serializers.IntegerField()
    approval_id = serializers.UUIDField(allow_null=True)
