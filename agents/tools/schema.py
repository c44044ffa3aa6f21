"""JSON Schema: what a tool's input must look like. Values are coerced first, as models like to send "3" for 3."""

import json
import re
import re._parser as regex  # type: ignore[import-untyped]
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from config.errors import Invalid

INTEGER = re.compile(r"[+-]?\d{1,18}")
NO_REMOTE: Registry[Any] = Registry()  # a $ref never makes us fetch a URL
ERRORS_MOST = 20
PATTERN_TEXT_MOST = 200  # longer texts are not matched against a pattern: some patterns take for ever
PATTERN_LOOPS_MOST = 3
SCHEMA_DEPTH_MOST = 32


def schema_problems(schema: Any) -> list[str]:
    """Sentences about what is wrong with this schema; none when inputs can be checked with it."""
    if not isinstance(schema, dict):
        return ["The schema must be an object."]
    if schema.get("type", "object") != "object":
        return ["The schema's type must be \"object\": a tool's input is one."]
    try:
        Draft202012Validator.check_schema(schema)
        return _unusable(schema, 0)
    except SchemaError as fault:
        return [f"{_path(fault) or 'The schema'}: {fault.message[:200]}"]
    except RecursionError:
        return ["The schema is nested too deeply."]


def _unusable(part: Any, depth: int) -> list[str]:
    """What is valid JSON Schema but not supported: references to elsewhere, and patterns that may take for ever."""
    if depth > SCHEMA_DEPTH_MOST:
        return ["The schema is nested too deeply."]
    if isinstance(part, list):
        return [problem for item in part for problem in _unusable(item, depth + 1)]
    if not isinstance(part, dict):
        return []
    problems = [problem for item in part.values() for problem in _unusable(item, depth + 1)]
    reference = part.get("$ref", part.get("$dynamicRef", "#"))
    if isinstance(reference, str) and not reference.startswith("#"):
        problems.append(f"$ref {reference[:100]!r} must point into the schema itself: #/$defs/…")
    if isinstance(part.get("patternProperties"), dict):
        problems.append("patternProperties is not supported; use properties and additionalProperties.")
    pattern = part.get("pattern")
    if isinstance(pattern, str) and _slow(pattern):
        problems.append(
            f"The pattern {pattern[:100]!r} is not valid, or may take for ever; write it without nested repeats."
        )
    return problems


def _slow(pattern: str) -> bool:
    """True for patterns that can take exponential time, and for those that are no regular expressions."""
    try:
        parsed = regex.parse(pattern)
    except (re.error, RecursionError, OverflowError):
        return True
    loops = [0]
    return _loops(parsed, False, loops) or loops[0] > PATTERN_LOOPS_MOST


def _loops(part: Any, inside: bool, count: list[int]) -> bool:
    """True when a repeat stands in another, an alternative in an open-ended one, or a back reference anywhere."""
    for op, argument in part:
        name = str(op)
        if name in ("GROUPREF", "GROUPREF_EXISTS") or (inside and name == "BRANCH"):
            return True
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            many = argument[1] > 1
            count[0] += many and argument[0] != argument[1]
            if (inside and many) or _loops(argument[2], inside or many, count):
                return True
        elif name == "BRANCH":
            if any(_loops(branch, inside, count) for branch in argument[1]):
                return True
        elif name in ("SUBPATTERN", "ATOMIC_GROUP", "ASSERT", "ASSERT_NOT"):
            inner = argument[-1] if isinstance(argument, tuple) else argument
            if _loops(inner, inside, count):
                return True
    return False


def checked(schema: dict[str, Any], value: Any) -> dict[str, Any]:
    """The input, coerced to the schema; raises Invalid naming each wrong field."""
    if not isinstance(value, dict):
        raise Invalid({"input": ["The input must be an object."]})
    value = coerced(schema, value)
    if errors := errors_of(schema, value):
        raise Invalid(errors)
    return value


def errors_of(schema: dict[str, Any], value: Any) -> dict[str, list[str]]:
    """{field: sentences} of what is wrong with a value; Invalid when the schema itself cannot be used."""
    errors: dict[str, list[str]] = {}
    try:
        for number, fault in enumerate(_Validator(schema, registry=NO_REMOTE).iter_errors(value)):
            for field, sentence in _sentences(fault):
                if sentence not in errors.setdefault(field, []):
                    errors[field].append(sentence)
            if number >= ERRORS_MOST:
                break
    except (RecursionError, Unresolvable, AttributeError, TypeError, ValueError) as fault:  # a $ref to no schema
        raise Invalid({"input_schema": [f"The tool's schema cannot be used: {type(fault).__name__}."]}) from None
    return errors


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Any:
    if not isinstance(instance, str):
        return
    if len(instance) > PATTERN_TEXT_MOST:
        yield ValidationError(f"is longer than the {PATTERN_TEXT_MOST} characters that a pattern is matched against")
    elif not re.search(pattern, instance):
        yield ValidationError(f"does not match {pattern!r}")


def _unique_items(validator: Any, wanted: bool, instance: Any, schema: Any) -> Any:
    """In one pass: the library's own way compares each item with each other one."""
    if wanted and isinstance(instance, list):
        seen = {json.dumps(item, sort_keys=True, default=str) for item in instance}
        if len(seen) < len(instance):
            yield ValidationError("has equal items")


_Validator = extend(Draft202012Validator, {"pattern": _pattern, "uniqueItems": _unique_items})


def coerced(schema: Any, value: Any) -> Any:
    """The value with texts turned into the numbers, booleans, objects and lists that the schema asks for."""
    if not isinstance(schema, dict):
        return value
    if "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        value = _coerced_to(kinds, value)
    if isinstance(value, dict) and isinstance(schema.get("properties"), dict):
        inner = schema["properties"]
        return {name: coerced(inner[name], item) if name in inner else item for name, item in value.items()}
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [coerced(schema["items"], item) for item in value]
    return value


def _coerced_to(kinds: list[str], value: Any) -> Any:
    if isinstance(value, str) and "string" not in kinds:
        return _from_text(kinds, value.strip(), value)
    if isinstance(value, float) and "number" not in kinds and "integer" in kinds and value.is_integer():
        return int(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number and kinds == ["string"] else value


def _from_text(kinds: list[str], text: str, original: str) -> Any:
    """What the text stands for in one of these types, else the text as it was."""
    if ("integer" in kinds or "number" in kinds) and INTEGER.fullmatch(text):
        return int(text)
    if "boolean" in kinds and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if "null" in kinds and text.lower() in ("null", ""):
        return None
    if "number" in kinds or "object" in kinds or "array" in kinds:
        types = {"number": (float,), "object": (dict,), "array": (list,)}
        try:
            value = json.loads(text, parse_constant=lambda _: None)
        except (ValueError, RecursionError):
            return original
        return value if isinstance(value, tuple(t for kind in kinds for t in types.get(kind, ()))) else original
    return original


def _path(fault: ValidationError | SchemaError) -> str:
    return ".".join(str(part) for part in fault.absolute_path)


def _sentences(fault: ValidationError) -> list[tuple[str, str]]:
    """(field, what is wrong with it); a missing or unknown property is named itself."""
    at = _path(fault)
    if fault.validator == "required":
        missing = [name for name in fault.validator_value if name not in fault.instance]
        return [(f"{at}.{name}".strip("."), "This field is required.") for name in missing]
    if fault.validator == "additionalProperties" and isinstance(fault.schema.get("properties"), dict):
        unknown = [name for name in fault.instance if name not in fault.schema["properties"]]
        return [(f"{at}.{name}".strip("."), "The tool knows no such field.") for name in unknown]
    return [(at or "input", _told(fault))]


def _told(fault: ValidationError) -> str:
    if fault.validator == "type":
        kinds = fault.validator_value if isinstance(fault.validator_value, list) else [fault.validator_value]
        return f"Must be of type {' or '.join(map(str, kinds))}."
    return fault.message[:200]
