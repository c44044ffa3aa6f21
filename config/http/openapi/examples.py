"""Examples of bodies: what serializers declare as `example`, composed along the schemas, which it cannot contradict."""

from typing import Any

import orjson

from config.http.renderers import dumps
from config.http.serializers import ResponseSerializer
from config.values.json_types import Json, JsonObject

ID = "0197a3c2-5d1e-7b40-9c3f-2f6d1c0b8a11"
MOMENT = "2026-01-31T09:30:00.000000Z"
BY_FORMAT = {
    "uuid": ID,
    "date-time": MOMENT,
    "date": "2026-01-31",
    "email": "ana@example.com",
    "uri": "https://example.com/hook",
}
BY_NAME: JsonObject = {
    "agent_id": "agent.concierge",
    "app_id": "support",
    "email": "ana@example.com",
    "path": "notes/plan.md",
    "permission": "read",
    "service_name": "openai",
    "tool_id": "memory.search",
}
BY_TYPE: JsonObject = {"boolean": True, "integer": 1, "number": 1.5, "string": "text", "null": None}
OPERATIONS = ("get", "post", "put", "patch", "delete")
MAX_DEPTH = 12  # a schema may refer to itself


def add_example(schema: JsonObject, serializer: Any) -> None:
    """Give a component the example of its serializer: a row that it renders, or the JSON object that it takes."""
    example = getattr(serializer, "example", None)
    if example is None:
        return
    properties = schema["properties"]
    body = serializer.render(example) if isinstance(serializer, ResponseSerializer) else example
    values = orjson.loads(dumps({name: value for name, value in body.items() if name in properties}))
    if set(schema.get("required", ())) <= set(values):
        schema["examples"] = [values]
        return
    for name, value in values.items():  # the response of a serializer that renders more than it takes
        properties[name] = properties[name] | {"examples": [value]}


def add_examples(document: JsonObject) -> None:
    """Give each JSON body and each path parameter an example, unless it has one."""
    schemas = document["components"]["schemas"]
    for path in document["paths"].values():
        for method, operation in path.items():
            if method not in OPERATIONS:
                continue
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and "example" not in parameter:
                    parameter["example"] = _example(parameter["schema"], schemas, parameter["name"])
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for media_type, body in [pair for each in bodies for pair in each.get("content", {}).items()]:
                if media_type == "application/json" and not body.keys() & {"example", "examples"}:
                    body["example"] = _example(body["schema"], schemas)


def _example(schema: JsonObject, schemas: JsonObject, name: str = "", depth: int = 0) -> Json:
    """A value that the schema allows."""
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].rpartition("/")[2]], schemas, name, depth)
    for key in ("example", "const", "default"):
        if key in schema and (key != "default" or schema[key] is not None):
            return schema[key]
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    for key in ("allOf", "oneOf", "anyOf"):
        if key in schema:
            return _example(schema[key][0], schemas, name, depth)
    return _by_type(schema, schemas, name, depth)


def _by_type(schema: JsonObject, schemas: JsonObject, name: str, depth: int) -> Json:
    kind = schema.get("type", "object")
    kind = next((one for one in kind if one != "null"), "null") if isinstance(kind, list) else kind
    if kind == "object":
        properties = schema.get("properties", {}) if depth < MAX_DEPTH else {}
        return {key: _example(value, schemas, key, depth + 1) for key, value in properties.items()}
    if kind == "array":
        return [_example(schema["items"], schemas, name, depth + 1)] if depth < MAX_DEPTH else []
    if kind == "string":
        text: str = BY_FORMAT.get(schema.get("format", "")) or BY_NAME.get(name, ID if name == "id" else "text")
        return text
    return _number(schema, kind)


def _number(schema: JsonObject, kind: str) -> Any:
    """The smallest number allowed, where there is one."""
    return schema.get("minimum", BY_TYPE[kind])
