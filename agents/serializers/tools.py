"""The shape of a tool (seed 000 §6) and of its executions (seed 004)."""

from typing import Any

from rest_framework import serializers

from agents.models import HandlerType, RiskLevel, Tool
from agents.serializers.keys import KEY
from agents.tools.schema import schema_problems
from config.errors import DomainError
from config.fields import CharField, ChoiceField, ObjectField, RegexField, StrictModelSerializer
from config.masking import MASK, mask
from governance.outbound import METHODS, checked_headers, target

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

    class Meta:
        model = Tool
        fields = [
            "id", "name", "description", "input_schema", "handler_type", "handler_config", "risk_level", "side_effects",
            "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["created_at", "updated_at"]

    def validate_input_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A schema that inputs can be checked with."""
        problems = schema_problems(schema)
        if problems:
            raise serializers.ValidationError(problems)
        return schema or EMPTY_SCHEMA.copy()

    def validate_handler_type(self, kind: str) -> str:
        """Only http: built-in tools are code of the platform."""
        if kind != HandlerType.HTTP:
            raise serializers.ValidationError(
                "Only tools with handler_type http can be made; built-in ones are part of the platform."
            )
        return kind

    def validate_handler_config(self, config: dict[str, Any]) -> dict[str, Any]:
        """{url, method, headers} that the outgoing client would take."""
        method, headers = config.get("method", "POST"), config.get("headers") or {}
        if not isinstance(method, str) or method.upper() not in METHODS:
            raise serializers.ValidationError(f"method: Must be one of {', '.join(sorted(METHODS))}.")
        if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
            raise serializers.ValidationError("headers: Must be an object of texts.")
        headers = {name: self._unmasked(name, value) for name, value in headers.items()}
        try:
            checked_headers(headers)
            target(config.get("url") or "")
        except DomainError as refusal:
            raise serializers.ValidationError(
                f"url: {refusal.message}" if "header" not in refusal.message else refusal.message
            ) from None
        return {"url": config["url"], "method": method.upper(), "headers": headers}

    def _unmasked(self, name: str, value: str) -> str:
        """The header's value; a mask, as GET shows it, stands for the stored one."""
        if value != MASK:
            return value
        stored = self.instance.handler_config.get("headers", {}) if isinstance(self.instance, Tool) else {}
        if name not in stored:
            raise serializers.ValidationError(f"headers: {name} is masked; send its real value.")
        return stored[name]

    def update(self, instance: Tool, validated_data: dict[str, Any]) -> Tool:
        """The changed tool; its id stays."""
        validated_data.pop("key", None)
        for name, value in validated_data.items():
            setattr(instance, name, value)
        instance.save()
        return instance

    def to_representation(self, instance: Tool) -> dict[str, Any]:
        """The tool; credentials in its headers are masked."""
        body = super().to_representation(instance)
        config = body["handler_config"]
        if config.get("headers"):
            body["handler_config"] = config | {"headers": mask(config["headers"], length=None)}
        return body


class ToolExecutionSerializer(serializers.Serializer):
    """One execution of a tool outside of runs."""

    id = serializers.UUIDField()
    tool_id = serializers.CharField()
    status = serializers.ChoiceField(["completed", "failed"])
    input_data = serializers.JSONField()
    output_data = serializers.JSONField(allow_null=True)
    error_message = serializers.CharField(allow_null=True)
    execution_time_ms = serializers.IntegerField()
