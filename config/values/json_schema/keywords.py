"""Keywords of JSON Schema that we check in our own way: patterns by RE2, alternatives once, tuples of draft-07."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from jsonschema.exceptions import ValidationError

from config.values.json_schema.patterns import TextTooLong, excerpt, matches
from config.values.json_types import JsonObject

Faults = Iterator[ValidationError]
Fits = Callable[[Any, Any, Any], bool]  # (validator, schema, value)


def keywords(fits: Fits) -> dict[str, Callable[..., Any]]:
    """{keyword: its check}."""
    return {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
        "items": _items,
        "dependencies": _dependencies,
        **_alternatives(fits),
    }


def names_of_patterns(schema: JsonObject, name: str) -> list[Any]:
    """The schemas of patternProperties that a property of this name comes under."""
    patterns = schema.get("patternProperties")
    return [part for pattern, part in patterns.items() if matches(pattern, name)] if isinstance(patterns, dict) else []


def is_additional(schema: JsonObject, name: str) -> bool:
    """Whether neither properties nor patternProperties know this name."""
    return name not in schema.get("properties", {}) and not names_of_patterns(schema, name)


def tuple_parts(schema: JsonObject) -> tuple[list[Any], Any]:
    """(the schemas of the first items, that of all others): prefixItems and items, or items and additionalItems."""
    items = schema.get("items", True)
    if isinstance(items, list):
        return items, schema.get("additionalItems", True)
    prefix = schema.get("prefixItems")
    return (prefix if isinstance(prefix, list) else []), items


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Faults:
    if not isinstance(instance, str):
        return
    try:
        if not matches(pattern, instance):
            yield ValidationError(f"does not match {excerpt(pattern)}")
    except TextTooLong as fault:
        yield ValidationError(str(fault))


def _pattern_properties(validator: Any, patterns: Any, instance: Any, schema: Any) -> Faults:
    if not isinstance(instance, dict):
        return
    for name, value in instance.items():
        for part in names_of_patterns(schema, name):
            yield from validator.descend(value, part, path=name)


def _additional_properties(validator: Any, rule: Any, instance: Any, schema: Any) -> Faults:
    """Each one that is too much is named as a field of its own."""
    if not isinstance(instance, dict):
        return
    for name, value in instance.items():
        if not is_additional(schema, name):
            continue
        if rule is False:
            yield ValidationError("There is no such field.", path=[name])
        else:
            yield from validator.descend(value, rule, path=name)


def _items(validator: Any, rule: Any, instance: Any, schema: Any) -> Faults:
    """The items after those of prefixItems; all of a draft-07 tuple."""
    if not isinstance(instance, list):
        return
    first, rest = tuple_parts(schema)
    if isinstance(rule, list):
        for place, (item, part) in enumerate(zip(instance, first, strict=False)):
            yield from validator.descend(item, part, path=place)
    for place, item in enumerate(instance[len(first) :], start=len(first)):
        if rest is False:
            yield ValidationError(f"Must have at most {len(first)} items.")
            return
        yield from validator.descend(item, rest, path=place)


def _dependencies(validator: Any, rules: Any, instance: Any, schema: Any) -> Faults:
    """Draft-07: {property: the properties, or the schema, that come with it}."""
    if not isinstance(instance, dict) or not isinstance(rules, dict):
        return
    for name, rule in rules.items():
        if name not in instance:
            continue
        if isinstance(rule, list):
            for missing in (other for other in rule if other not in instance):
                yield ValidationError(f"{missing} is required where there is {name}.")
        else:
            yield from validator.descend(instance, rule)


def _unique_items(validator: Any, unique: bool, instance: Any, schema: Any) -> Faults:
    """In one pass: the library's own way compares each item with each other one."""
    if unique and isinstance(instance, list):
        texts = {json.dumps(item, sort_keys=True, default=str) for item in instance}
        if len(texts) < len(instance):
            yield ValidationError("has equal items")


def _alternatives(fits: Fits) -> dict[str, Callable[..., Any]]:
    def any_of(validator: Any, branches: list[Any], instance: Any, schema: Any) -> Faults:
        if not any(fits(validator, branch, instance) for branch in branches):
            yield from _no_branch(validator, branches, instance)

    def one_of(validator: Any, branches: list[Any], instance: Any, schema: Any) -> Faults:
        fitting = sum(fits(validator, branch, instance) for branch in branches)
        if fitting > 1:
            yield ValidationError(f"Must fit exactly one of the alternatives, but fits {fitting} of them.")
        elif not fitting:
            yield from _no_branch(validator, branches, instance)

    def not_(validator: Any, rule: Any, instance: Any, schema: Any) -> Faults:
        if fits(validator, rule, instance):
            yield ValidationError(f"Must not be what this schema says: {rule!r}")

    def conditional(validator: Any, rule: Any, instance: Any, schema: Any) -> Faults:
        yield from validator.descend(instance, schema.get("then" if fits(validator, rule, instance) else "else", True))

    return {"anyOf": any_of, "oneOf": one_of, "not": not_, "if": conditional}


def _no_branch(validator: Any, branches: list[Any], instance: Any) -> Faults:
    """What is wrong: with the one alternative to null, if there is but one; else the types that are allowed."""
    real = [branch for branch in branches if branch != {"type": "null"}]
    if len(real) == 1 and instance is not None and (not isinstance(real[0], dict) or "type" not in real[0]):
        yield from validator.descend(instance, real[0])
        return
    kinds = [branch.get("type") if isinstance(branch, dict) else None for branch in branches]
    if all(isinstance(kind, str) for kind in kinds) and not any(validator.is_type(instance, kind) for kind in kinds):
        yield ValidationError("", validator="type", validator_value=list(dict.fromkeys(kinds)))
    elif len(real) == 1 and instance is not None:
        yield from validator.descend(instance, real[0])
    else:
        yield ValidationError("Fits none of the alternatives of its schema.")
