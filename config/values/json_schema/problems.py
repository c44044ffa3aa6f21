"""What is wrong with a schema, in sentences, before anything is checked with it."""

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from config.values.json_schema.patterns import PatternRefused, compile_pattern
from config.values.json_types import JsonObject

MAX_DEPTH = 32
NO_FORMATS = FormatChecker(formats=())  # patterns are RE2's, not Python's
ONE = ("items", "additionalItems", "additionalProperties", "unevaluatedItems", "unevaluatedProperties", "contains",
       "not", "if", "then", "else", "propertyNames", "contentSchema")  # fmt: skip
LISTS = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies")


def schema_problems(schema: Any) -> list[str]:
    """Sentences about what is wrong with this schema; none when inputs can be checked with it."""
    if not isinstance(schema, dict):
        return ["The schema must be an object."]
    if schema.get("type", "object") != "object":
        return ["The schema's type must be \"object\": a tool's input is one."]
    try:
        if _depth(schema) > MAX_DEPTH:
            return ["The schema is nested too deeply."]
        Draft202012Validator.check_schema(_modern(schema), format_checker=NO_FORMATS)
        return list(dict.fromkeys(_unusable(schema)))
    except SchemaError as fault:
        at = ".".join(str(part) for part in fault.absolute_path)
        return [f"{at or 'The schema'}: {fault.message[:200]}"]
    except RecursionError:
        return ["The schema is nested too deeply."]


def parts_of(schema: Any) -> Iterator[JsonObject]:
    """The schema and all schemas within it."""
    if not isinstance(schema, dict):
        return
    yield schema
    for keyword in ONE:
        yield from parts_of(schema.get(keyword))
    for keyword in LISTS:
        for part in schema[keyword] if isinstance(schema.get(keyword), list) else ():
            yield from parts_of(part)
    for keyword in MAPS:
        for part in schema[keyword].values() if isinstance(schema.get(keyword), dict) else ():
            yield from parts_of(part)


def _unusable(schema: JsonObject) -> Iterator[str]:
    """What is valid JSON Schema but cannot be used: references that lead nowhere, and patterns that RE2 refuses."""
    root: Registry[Any] = Registry()
    resolver = root.resolver_with_root(DRAFT202012.create_resource(schema))
    has_patterns = False
    for part in parts_of(schema):
        for keyword in ("$ref", "$dynamicRef"):
            reference = part.get(keyword)
            if isinstance(reference, str):
                yield from _reference_problems(resolver, reference)
        patterns = [part["pattern"]] if isinstance(part.get("pattern"), str) else []
        for pattern in [*patterns, *part.get("patternProperties", ())]:
            try:
                compile_pattern(pattern)
            except PatternRefused as fault:
                yield str(fault)
        has_patterns = has_patterns or "patternProperties" in part
    if has_patterns and any("unevaluatedProperties" in part for part in parts_of(schema)):
        yield "unevaluatedProperties is not supported together with patternProperties; use additionalProperties."


def _reference_problems(resolver: Any, reference: str) -> Iterator[str]:
    if not reference.startswith("#"):
        yield f"$ref {reference[:100]!r} must point into the schema itself: #/$defs/…"
        return
    try:
        target = resolver.lookup(reference).contents
    except (Unresolvable, ValueError, TypeError):
        target = None
    if not isinstance(target, dict | bool):
        yield f"$ref {reference[:100]!r} leads to no schema; add it to $defs, or correct the path."


def _modern(schema: Any) -> Any:
    """The schema with the tuples of draft-07 as 2020-12 has them, to be looked over by the rules of the latter."""
    if not isinstance(schema, dict):
        return schema
    modern = dict(schema)
    if isinstance(modern.get("items"), list):
        modern |= {"prefixItems": tuple_} if (tuple_ := modern.pop("items")) else {}
        if "additionalItems" in modern:
            modern["items"] = modern.pop("additionalItems")
    for keyword in ONE:
        if keyword in modern:
            modern[keyword] = _modern(modern[keyword])
    for keyword in LISTS:
        if isinstance(modern.get(keyword), list):
            modern[keyword] = [_modern(part) for part in modern[keyword]]
    for keyword in MAPS:
        if isinstance(modern.get(keyword), dict):
            modern[keyword] = {name: _modern(part) for name, part in modern[keyword].items()}
    return modern


def _depth(value: Any) -> int:
    """Levels of objects and lists; at most one more than allowed is looked at."""
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        depth += 1
    return depth
