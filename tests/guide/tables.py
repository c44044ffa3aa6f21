"""The generated parts of docs/guide: Markdown made from the registries, by the name of its marker."""

import json
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from agents.tools.registry import BUILT_IN, ToolSpec
from config.errors import DomainError
from governance.conditions import OPERATORS
from orchestration.workflows.definition.node_schemas import EDGE, NODE_FIELDS, NODE_SCHEMAS
from orchestration.workflows.expressions.references import SOURCES
from orchestration.workflows.expressions.template_limits import FILTERS, allowed_filters
from orchestration.workflows.expressions.templates import _environment as environment
from tests.measure.source import product_files

Schema = dict[str, Any]
CODE = re.compile(r"^    (?:status, )?code = ", re.MULTILINE)
MEANINGS = {
    "equals": "the same JSON value; `true` is not 1",
    "not_equals": "another value",
    "in": "one of the list",
    "not_in": "none of the list",
    "contains": "a text has this part, a list this item, an object this key",
    "not_contains": "it has not",
    "exists": "the field is there",
    "not_exists": "the field is not there",
    "starts_with": "a text begins with it",
    "ends_with": "a text ends with it",
    "greater_than": "a greater number",
    "less_than": "a smaller number",
    "gte": "a greater number or the same",
    "lte": "a smaller number or the same",
}


def rows(*cells: tuple[str, ...]) -> str:
    """A Markdown table; the first row is its head."""
    head, *body = cells
    lines = [head, tuple("---" for _ in head), *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def node_types() -> str:
    return "\n\n".join("\n".join(_node_type(type)) for type in NODE_SCHEMAS)


def _node_type(type: str) -> Iterator[str]:
    schema = NODE_SCHEMAS[type]
    yield f"### {type}\n\n{schema.summary}\n"
    yield options_table(schema.properties, schema.required)
    yield f"\n```json\n{json.dumps({'id': 'a', 'type': type, 'config': schema.example}, ensure_ascii=False)}\n```"


def options_table(properties: dict[str, Schema], required: tuple[str, ...] = ()) -> str:
    options = [
        (f"`{name}`", _type(schema), "yes" if name in required else "", schema.get("description", ""))
        for name, schema in properties.items()
    ]
    return rows(("option", "type", "required", "meaning"), *options)


def _type(schema: Schema) -> str:
    if "oneOf" in schema:
        return " or ".join(dict.fromkeys(_type(one) for one in schema["oneOf"]))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    name = schema.get("type", "any value")
    return " or ".join(name) if isinstance(name, list) else str(name)


def node_fields() -> str:
    return options_table(NODE_FIELDS)


def edge_fields() -> str:
    return options_table(EDGE["properties"], tuple(EDGE["required"]))


def operators() -> str:
    return rows(("operator", "true when"), *((f"`{name}`", MEANINGS[name]) for name in OPERATORS))


def sources() -> str:
    meanings = {
        "input": "the run's input",
        "steps": "the outputs of earlier nodes: `$steps.<node id>`",
        "context": "`run_id`, `workflow_id`, `tenant_id`, `user_id`, `app_id`, `mode`, and the input's `context`",
        "event": "the event of the app's action that started the run",
        "item": "the item, in the node of a map",
    }
    return rows(("source", "what it is"), *((f"`${name}`", meanings[name]) for name in SOURCES))


def filters() -> str:
    names = {*allowed_filters(dict(environment.filters.items())), *FILTERS}
    internal = {"each_of", "joined", "part"}
    return ", ".join(f"`{name}`" for name in sorted(names - internal))


def tools() -> str:
    return "\n\n".join(_tool(BUILT_IN[id]) for id in sorted(BUILT_IN))


def _tool(tool: ToolSpec) -> str:
    effects = ", ".join(f"`{effect}`" for effect in tool.side_effects) or "none"
    properties, required = tool.input_schema.get("properties", {}), tuple(tool.input_schema.get("required", ()))
    options = options_table(properties, required) if properties else "It takes no arguments."
    return f"### {tool.id}\n\n{tool.description} Risk: {tool.risk_level}. Side effects: {effects}.\n\n{options}"


def errors() -> str:
    for file in product_files():  # all that define errors, whatever has been imported before
        if CODE.search(file.text):
            import_module(file.path.removesuffix(".py").replace("/", "."))
    declared = [error for error in _subclasses(DomainError) if "code" in vars(error)]
    by_code = {(e.status, e.code): e for e in sorted(declared, key=lambda e: (e.__module__, e.__name__), reverse=True)}
    table = [
        (f"`{code}`", str(status), (error.__doc__ or "").strip().split("\n")[0])
        for (status, code), error in sorted(by_code.items())
    ]
    return rows(("code", "status", "when"), *table)


def _subclasses(error: type[DomainError]) -> Iterator[type[DomainError]]:
    for one in error.__subclasses__():
        if not one.__module__.startswith("tests"):
            yield one
            yield from _subclasses(one)


TABLES: dict[str, Callable[[], str]] = {
    "node types": node_types,
    "node fields": node_fields,
    "edge fields": edge_fields,
    "operators": operators,
    "sources": sources,
    "filters": filters,
    "tools": tools,
    "errors": errors,
}
