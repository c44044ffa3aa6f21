"""JSON Schema: the form of a tool's input, or of a model's answer.

Schemas are draft 2020-12; tuples and dependencies may also be written as draft-07 has them. Inputs are coerced before
they are checked, as models like to send "3" for 3.
"""

from typing import Any

from config.errors import Invalid
from config.values.json_schema.coercion import coerce
from config.values.json_schema.problems import schema_problems
from config.values.json_schema.validation import errors_of
from config.values.json_types import JsonObject

__all__ = ["validate_input", "coerce", "errors_of", "schema_problems"]


def validate_input(schema: JsonObject, value: Any) -> JsonObject:
    """The input, coerced to the schema; Invalid names each wrong field."""
    if not isinstance(value, dict):
        raise Invalid({"input": ["The input must be an object."]})
    result = coerce(schema, value)
    errors = errors_of(schema, result)
    if not errors:
        return dict(result)
    if result is not value and not errors_of(schema, value):  # what fits as it is needs no coercion
        return value
    raise Invalid(errors)
