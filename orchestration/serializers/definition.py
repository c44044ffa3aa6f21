"""A workflow's definition, documented by node type."""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from rest_framework import serializers

from config.http.fields import only
from config.values.json_types import Json, JsonObject
from orchestration.program.registry import NODES
from orchestration.workflows.definition.node_schemas import EDGE, NODE_FIELDS, NODE_SCHEMAS, NodeSchema
from orchestration.workflows.definition.parser import DEFAULT_MAX_STEPS, MAX_EDGES, MAX_NODES, MAX_STEPS

EXAMPLE: JsonObject = {
    "nodes": [
        {"id": "amount", "type": "transform", "config": {"output": {"sum": "$input.sum"}}},
        {"id": "gate", "type": "human_gate", "config": {"message": "Pay it back?"}},
        {"id": "paid", "type": "static", "config": {"output": {"refunded": True}}},
    ],
    "edges": [{"from": "amount", "to": "gate"}, {"from": "gate", "to": "paid"}],
}
DEFINITION: JsonObject = {
    "entryNode": {"type": ["string", "null"], "description": "The first node; by default the one that no edge enters."},
    "max_steps": {"type": "integer", "minimum": 1, "maximum": MAX_STEPS, "default": DEFAULT_MAX_STEPS},
    "input_schema": {
        "type": ["object", "null"],
        "additionalProperties": True,
        "description": "A JSON Schema that a run's input is coerced to and checked against at its start.",
    },
}


class DefinitionField(serializers.JSONField):
    """{nodes, edges, entryNode?, max_steps?, input_schema?}; other keys are kept and mean nothing."""

    def to_internal_value(self, data: Json) -> JsonObject:
        only(data, dict)
        return data  # type: ignore[no-any-return]


class DefinitionDocument(OpenApiSerializerFieldExtension):
    """The component WorkflowDefinition, with one component per node type."""

    target_class = DefinitionField

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> JsonObject:
        components = {type: _component(auto_schema, f"{_camel(type)}Node", _node(type)) for type in _node_types()}
        refs = {type: component.ref for type, component in components.items()}
        mapping = {name: ref["$ref"] for type, ref in refs.items() for name in (type, f"{type}_node")}
        node = {"oneOf": list(refs.values()), "discriminator": {"propertyName": "type", "mapping": mapping}}
        edge = _component(auto_schema, "WorkflowEdge", _plain(EDGE)).ref
        properties = {
            "nodes": {"type": "array", "items": node, "minItems": 1, "maxItems": MAX_NODES},
            "edges": {"type": "array", "items": edge, "maxItems": MAX_EDGES},
            **DEFINITION,
        }
        schema = {"type": "object", "required": ["nodes"], "properties": properties, "additionalProperties": True}
        schema["examples"] = [EXAMPLE]
        ref: JsonObject = _component(auto_schema, "WorkflowDefinition", schema).ref
        return ref


def _node_types() -> list[str]:
    """The built-in types, and those that plug-ins have registered."""
    return [*NODE_SCHEMAS, *sorted(NODES.keys() - NODE_SCHEMAS.keys())]


def _node(type: str) -> JsonObject:
    node_schema = NODE_SCHEMAS.get(type) or NodeSchema(f"A node of the type {type}.")
    config = _plain(node_schema.config())
    # A transform's output may also stand beside its config, or be called value.
    required = [] if type == "transform" else list(node_schema.required)
    if required:
        config["required"] = required
    else:
        config = {name: value for name, value in config.items() if name != "required"} | {"type": ["object", "null"]}
    example = {"id": type, "type": type} | ({"config": node_schema.example} if node_schema.example else {})
    return {
        "type": "object",
        "description": node_schema.summary,
        "required": ["id", "type", *(["config"] if required else [])],
        "properties": {
            "id": {"type": "string"},
            "type": {"type": "string", "enum": [type, f"{type}_node"]},
            "config": config,
            **_plain(NODE_FIELDS),
        },
        "additionalProperties": True,
        "examples": [example],
    }


def _plain(schema: Json) -> Any:
    """The schema in the words of JSON Schema 2020-12: null is a type, an example one of `examples`."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _plain(value) for name, value in schema.items() if name not in ("nullable", "example")}
    if schema.get("nullable") is True:
        plain["type"] = [plain["type"], "null"]
    if plain.get("type") == "array":  # whose items may be anything: some client generators want it said
        plain.setdefault("items", {})
    if "example" in schema:
        plain["examples"] = [schema["example"]]
    return plain


def _component(auto_schema: AutoSchema, name: str, schema: JsonObject) -> ResolvedComponent:
    component = ResolvedComponent(name=name, type=ResolvedComponent.SCHEMA, schema=schema, object=name)
    auto_schema.registry.register_on_missing(component)
    return component


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
