"""One operation of the OpenAPI document: its id, summary, tag, bodies, errors."""

from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from config.http.openapi import (
    credentials,  # noqa: F401  (registers the descriptions of credentials)
    operation_names,
)
from config.http.openapi.error_responses import error_responses
from config.http.openapi.examples import add_example
from config.http.openapi.tags import tag_of
from config.http.serializers import MessageSerializer
from config.values.json_types import JsonObject

Direction = Literal["request", "response"]
BLANK: JsonObject = {"type": "string", "maxLength": 0}


class OperationSchema(AutoSchema):
    """Documents an operation from its view, its path and its serializers."""

    def get_operation_id(self) -> str:
        """`workflows_list`"""
        return operation_names.operation_id(self.view, self.path, self.method)

    def get_summary(self) -> str | None:
        """ "List workflows"; of other than plain operations the one that extend_schema has."""
        return operation_names.summary(self.view, self.method)

    def get_tags(self) -> list[str]:
        """The one tag of the path."""
        return [tag_of(self.path)]

    def get_serializer_name(self, serializer: serializers.BaseSerializer, direction: Direction) -> str:
        """The class's name; `…Request` is not said twice (`request` schemas get it as their ending)."""
        name = type(serializer).__name__.removesuffix("Serializer")
        return name.removesuffix("Request") if direction == "request" else name

    def get_response_serializers(self) -> Any:
        """Those that extend_schema has, else the view's; of a delete the message where the contract has one."""
        if getattr(self.view, "action", "") == "destroy" and getattr(self.view, "deleted_status", 204) == 200:
            return {200: MessageSerializer}
        return super().get_response_serializers()

    def _map_basic_serializer(self, serializer: Any, direction: Direction) -> JsonObject:
        """The schema; of a response all keys are required that every response has."""
        schema: JsonObject = super()._map_basic_serializer(serializer, direction)
        if direction == "response":
            schema["required"] = _present_keys(serializer, schema["properties"])
        add_example(schema, serializer)
        return schema

    def _map_serializer_field(self, field: Any, direction: Direction, bypass_extensions: bool = False) -> Any:
        """The field's schema; of any JSON value that may be null: any JSON value."""
        schema = super()._map_serializer_field(field, direction, bypass_extensions)
        if isinstance(schema, dict) and {} in schema.get("oneOf", ()):
            del schema["oneOf"]
        return schema

    def _insert_field_validators(self, field: Any, schema: JsonObject) -> None:
        """The field's bounds; an empty text may match a pattern as well as be allowed by itself."""
        super()._insert_field_validators(field, schema)
        if BLANK in schema.get("oneOf", ()):
            schema["anyOf"] = schema.pop("oneOf")

    def _get_response_bodies(self, direction: Direction = "response") -> JsonObject:
        """The successful responses, then each error by its number."""
        bodies: JsonObject = super()._get_response_bodies(direction)
        has_body = self.method in ("POST", "PUT", "PATCH") and self.get_request_serializer() is not None
        errors = error_responses(self.view, self.path, self.method, has_body, "{" in self.path, self.registry)
        return bodies | {status: body for status, body in errors.items() if status not in bodies}


def _present_keys(serializer: Any, properties: JsonObject) -> list[str]:
    """The keys that every response has: neither the serializer's `optional_keys` nor fields that a row may lack."""
    names = [name for name in properties if name not in getattr(serializer, "optional_keys", ())]
    if isinstance(serializer, serializers.ModelSerializer):
        return sorted(names)
    fields = serializer.fields
    return [name for name in names if fields[name].required or fields[name].read_only]
