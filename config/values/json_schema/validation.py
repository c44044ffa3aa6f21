"""Whether a value fits a schema: jsonschema's validator, with keywords of our own where its own may take for ever.

Patterns are matched by RE2. Whether a value fits an alternative is computed once, so that alternatives within
alternatives do not multiply; a schema whose references do is given up.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from config.errors import Invalid
from config.values.json_schema import keywords
from config.values.json_schema.literals import too_many_digits
from config.values.json_schema.patterns import PatternRefused
from config.values.json_types import JsonObject

NO_REMOTE: Registry[Any] = Registry()  # a $ref never makes us fetch a URL
MAX_ERRORS = 20
MAX_REFERENCES = 100_000  # followed in one check: a second or two
_SCHEMA_ERRORS = (RecursionError, Unresolvable, AttributeError, TypeError, ValueError, ArithmeticError)


class Check:
    """One value's check against one schema: which parts of it fit what, and how many references were followed."""

    def __init__(self, schema: Any) -> None:
        self.validator = Validator(schema, registry=NO_REMOTE)
        self.results: dict[
            tuple[int, int], tuple[Any, Any, bool]
        ] = {}  # with both, so that nothing else gets their ids
        self.references = 0

    def fits(self, schema: Any, value: Any, within: Any = None) -> bool:
        """Whether the value fits this part of the schema; `within`: the validator that has come to it."""
        key = (id(schema), id(value))
        if key not in self.results:
            token = _current.set(self)
            try:
                fault = next((within or self.validator).descend(value, schema), None)
            finally:
                _current.reset(token)
            self.results[key] = (schema, value, fault is None)
        return self.results[key][2]

    def errors(self, value: Any) -> list[ValidationError]:
        """What is wrong with the value; the first of it, when it is much."""
        token = _current.set(self)
        try:
            return list(islice(self.validator.iter_errors(value), MAX_ERRORS))
        finally:
            _current.reset(token)


_current: ContextVar[Check] = ContextVar("check")


def _bounded_reference(keyword: str) -> Any:
    """The library's own $ref or $dynamicRef, no more often than MAX_REFERENCES."""
    follow = Draft202012Validator.VALIDATORS[keyword]

    def check_reference(validator: Any, reference: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
        check = _current.get()
        check.references += 1
        if check.references > MAX_REFERENCES:
            raise ValueError(f"it takes more than {MAX_REFERENCES:,} steps along its references to check this value")
        yield from follow(validator, reference, instance, schema)

    return check_reference


def _fits(validator: Any, schema: Any, value: Any) -> bool:
    return _current.get().fits(schema, value, validator)


Validator = extend(
    Draft202012Validator,
    keywords.keywords(_fits) | {name: _bounded_reference(name) for name in ("$ref", "$dynamicRef")},
)


@contextmanager
def usable() -> Iterator[None]:
    """Whatever fails within is the schema's error: Invalid, with the reason."""
    try:
        yield
    except PatternRefused as fault:
        raise Invalid({"input_schema": [f"{fault} Correct the schema."]}) from None
    except _SCHEMA_ERRORS as fault:
        reason = "it refers to itself without end" if isinstance(fault, RecursionError) else str(fault)[:200]
        raise Invalid({"input_schema": [f"The schema cannot be used: {reason}."]}) from None


def errors_of(schema: JsonObject, value: Any) -> dict[str, list[str]]:
    """{field: sentences} of what is wrong with a value; Invalid when the schema itself cannot be used."""
    errors: dict[str, list[str]] = {}
    with usable():
        for fault in Check(schema).errors(value):
            for field, sentence in _sentences(fault):
                if sentence not in errors.setdefault(field, []):
                    errors[field].append(sentence)
    return errors


def _sentences(fault: ValidationError) -> list[tuple[str, str]]:
    """(field, what is wrong with it); a missing or unknown property is named itself."""
    at = ".".join(str(part) for part in fault.absolute_path)
    if fault.validator == "required":
        missing = [name for name in fault.validator_value if name not in fault.instance]
        return [(f"{at}.{name}".strip("."), "This field is required.") for name in missing]
    return [(at or "input", _sentence(fault))]


def _sentence(fault: ValidationError) -> str:
    if fault.validator == "type":
        kinds = fault.validator_value if isinstance(fault.validator_value, list) else [fault.validator_value]
        if any(kind in ("integer", "number") for kind in kinds) and too_many_digits(fault.instance):
            return "No number holds exactly these digits; send fewer, or let the schema take a text."
        return f"Must be of type {' or '.join(map(str, kinds))}."
    return fault.message[:200]
