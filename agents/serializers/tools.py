"""The shape of a tool (seed 000 §6) and of its executions (seed 004)."""

from datetime import UTC, datetime
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.loop.tool_program import CALL
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
from config.http.serializers import ResponseSerializer
from config.masking import MASK, mask
from config.values.json_schema import schema_problems
from config.values.json_types import Json, JsonObject
from governance import vault
from orchestration.models import FINAL, Approval, Run, Status, Step

EMPTY_SCHEMA = {"type": "object", "properties": {}}


class ToolSerializer(StrictModelSerializer):
    """A tool. A POST with an existing id replaces it, so that each field has a default."""

    example = {
        "id": "rooms.find",
        "name": "Find rooms",
        "input_schema": {"type": "object", "properties": {"guests": {"type": "integer"}}},
        "handler_type": "http",
        "handler_config": {"url": "https://example.com/rooms", "method": "GET"},
        "side_effects": ["external_read"],
    }

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

    def validate_input_schema(self, schema: JsonObject) -> JsonObject:
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

    def validate(self, attrs: JsonObject) -> JsonObject:
        """The config checked for its handler, its secrets encrypted."""
        tool = self.instance if isinstance(self.instance, Tool) else None
        kind = attrs.get("handler_type") or (tool.handler_type if tool else HandlerType.HTTP)
        if "handler_config" not in attrs and tool and tool.handler_type == kind:
            return attrs
        config = attrs.get("handler_config", {})
        same = tool and tool.handler_type == kind and origin(tool.handler_config) == origin(config)
        previous = (vault.decrypt(tool.sealed) or {}) if tool and same else {}  # a secret is for one server alone
        try:
            public, secrets = checked_config(kind, config, previous)
        except serializers.ValidationError as fault:
            raise serializers.ValidationError({"handler_config": fault.detail}) from None
        self.new_secret = secrets.get("secret") if secrets.get("secret") != previous.get("secret") else None
        return attrs | {"handler_config": public, "sealed": vault.encrypt(secrets) if any(secrets.values()) else ""}

    new_secret: str | None = None

    def update(self, instance: Tool, validated_data: JsonObject) -> Tool:
        """The changed tool; its id stays."""
        validated_data.pop("key", None)
        for name, value in validated_data.items():
            setattr(instance, name, value)
        instance.save()
        return instance

    def to_representation(self, instance: Tool) -> JsonObject:
        """The tool; its secrets are masked."""
        body = super().to_representation(instance)
        secrets = (vault.decrypt(instance.sealed) or {}) if instance.sealed else {}
        config = dict(body["handler_config"])
        if instance.handler_type in (HandlerType.HTTP, HandlerType.REMOTE, HandlerType.MCP):
            config["headers"] = mask(secrets.get("headers") or {}, length=None)
        if secrets.get("secret"):
            config["secret"] = MASK
        return body | {"handler_config": config}


class ToolExecutionSerializer(ResponseSerializer):
    """One execution of a tool outside of runs; its row is the run of the kind "tool"."""

    example = Run(
        id=UUID("0197a3c2-5d1e-7b40-9c3f-2f6d1c0b8a11"), kind="tool", subject_id="ticketing.list_open",
        status=Status.RUNNING, input={"tickets": []}, created_at=datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
    )  # fmt: skip

    id = serializers.UUIDField()
    tool_id = serializers.CharField(source="subject_id")
    status = serializers.SerializerMethodField()
    input_data = serializers.SerializerMethodField(help_text="The arguments of the call: an approver may edit them.")
    output_data = serializers.SerializerMethodField()
    error_message = serializers.SerializerMethodField()
    execution_time_ms = serializers.SerializerMethodField()
    approval_id = serializers.SerializerMethodField(help_text="The open approval that the execution waits for.")

    @extend_schema_field(serializers.ChoiceField(("running", "completed", "failed")))
    def get_status(self, run: Run) -> str:
        if run.status == Status.COMPLETED:
            return "completed"
        return "failed" if run.status in FINAL else "running"

    @extend_schema_field(serializers.JSONField())
    def get_input_data(self, run: Run) -> Json:
        steps = Step.objects.for_tenant(run.tenant_id).filter(run_id=run.pk, name=CALL)
        input = steps.values_list("input", flat=True).first() if run.status in FINAL else None
        return run.input if input is None else input

    @extend_schema_field(serializers.JSONField(allow_null=True))
    def get_output_data(self, run: Run) -> Json:
        return run.result if run.status == Status.COMPLETED else None

    def get_error_message(self, run: Run) -> str | None:
        failed = isinstance(run.result, dict) and run.status in (Status.FAILED, Status.CANCELLED)
        return (run.result.get("error") or "It was cancelled.") if failed and run.result else None

    def get_execution_time_ms(self, run: Run) -> int | None:
        return round((run.finished_at - run.created_at).total_seconds() * 1000) if run.finished_at else None

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_approval_id(self, run: Run) -> str | None:
        if run.status != Status.PAUSED:
            return None
        rows = Approval.objects.for_tenant(run.tenant_id).filter(run_id=run.pk, approved__isnull=True)
        return str(rows.values_list("pk", flat=True).first() or "") or None
