"""Values turned into what their schema asks for: the text "3" where it says integer, through all that schemas are
made of.

A value that fits is left as it is, a text wherever a text is allowed; what fits nothing is left for the check to
refuse. Coercion is idempotent.
"""

from functools import cached_property
from typing import Any

from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from config.values.json_schema.keywords import names_of_patterns, tuple_parts
from config.values.json_schema.literals import member_of, value_of
from config.values.json_schema.validation import Check, usable
from config.values.json_types import JsonObject

MAX_PASSES = 5  # a later keyword may give an earlier one something to do


def coerce(schema: Any, value: Any) -> Any:
    """The value as the schema asks for it; the same object when there is nothing to change."""
    with usable():
        coercion, current = _Coercion(schema), value
        for _ in range(MAX_PASSES):
            following = coercion.part(schema, current)
            if following is current:
                return current
            current = following
    return value  # keywords that contradict each other turn it to and fro; nothing fits them


class _Coercion:
    """Walks value and schema side by side."""

    def __init__(self, schema: Any) -> None:
        self.schema = schema
        self.targets: JsonObject = {}  # reference → schema
        self.results: dict[tuple[int, int], tuple[Any, Any, Any]] = {}  # with both, so that their ids stay theirs

    @cached_property
    def check(self) -> Check:
        """The check that says whether an alternative fits."""
        return Check(self.schema)

    @cached_property
    def resolver(self) -> Any:
        """Finds the schemas that references point to."""
        root: Registry[Any] = Registry()
        return root.resolver_with_root(DRAFT202012.create_resource(self.schema))

    def part(self, schema: Any, value: Any) -> Any:
        """The value as this part of the schema asks for it; each pair of them is looked at once."""
        if not isinstance(schema, dict):
            return value
        key = (id(schema), id(value))
        if key not in self.results:
            self.results[key] = (schema, value, value)  # a schema that leads back to itself has nothing to add
            self.results[key] = (schema, value, self._all(schema, value))
        return self.results[key][2]

    def _all(self, schema: JsonObject, value: Any) -> Any:
        for keyword in ("$ref", "$dynamicRef"):
            if isinstance(reference := schema.get(keyword), str):
                value = self.part(self._target(reference), value)
        if "type" in schema:
            value = value_of(schema["type"] if isinstance(schema["type"], list) else [schema["type"]], value)
        if isinstance(members := [schema["const"]] if "const" in schema else schema.get("enum"), list):
            value = member_of(members, value)
        if isinstance(value, dict):
            value = self._object(schema, value)
        elif isinstance(value, list):
            value = self._array(schema, value)
        return self._apply_branches(schema, value)

    def _target(self, reference: str) -> Any:
        if reference not in self.targets:
            try:
                self.targets[reference] = self.resolver.lookup(reference).contents
            except Unresolvable:  # the check reports it
                self.targets[reference] = True
        return self.targets[reference]

    def _object(self, schema: JsonObject, value: JsonObject) -> JsonObject:
        properties, changes = schema.get("properties", {}), {}
        for name, item in value.items():
            parts = [properties[name]] if name in properties else []
            parts += names_of_patterns(schema, name)
            if not parts and isinstance(schema.get("additionalProperties"), dict):
                parts = [schema["additionalProperties"]]
            result = item
            for part in parts:
                result = self.part(part, result)
            if result is not item:
                changes[name] = result
        return {**value, **changes} if changes else value

    def _array(self, schema: JsonObject, value: list[Any]) -> list[Any]:
        first, rest = tuple_parts(schema)
        result = [self.part(first[place] if place < len(first) else rest, item) for place, item in enumerate(value)]
        return value if all(new is old for new, old in zip(result, value, strict=True)) else result

    def _apply_branches(self, schema: JsonObject, value: Any) -> Any:
        """Schemas that say more about the same value."""
        for part in schema.get("allOf", ()):
            value = self.part(part, value)
        for keyword in ("anyOf", "oneOf"):
            if isinstance(branches := schema.get(keyword), list):
                value = self._choose(branches, value, exactly_one=keyword == "oneOf")
        if "if" in schema:
            value = self.part(schema.get("then" if self.check.fits(schema["if"], value) else "else"), value)
        for keyword in ("dependentSchemas", "dependencies"):
            for name, part in schema.get(keyword, {}).items():
                if isinstance(value, dict) and name in value:
                    value = self.part(part, value)
        return value

    def _choose(self, branches: list[Any], value: Any, *, exactly_one: bool) -> Any:
        """As the alternative asks for it that changes least of the value, the first of such."""

        def fits(candidate: Any) -> bool:
            fitting = (self.check.fits(branch, candidate) for branch in branches)
            return sum(fitting) == 1 if exactly_one else any(fitting)

        if fits(value):
            branches = [next(branch for branch in branches if self.check.fits(branch, value))]
        candidates = [candidate for branch in branches if fits(candidate := self.part(branch, value))]
        return min(candidates, key=lambda candidate: _changes(value, candidate), default=value)


def _changes(before: Any, after: Any) -> int:
    """The number of values that differ."""
    if before is after:
        return 0
    if isinstance(before, dict) and isinstance(after, dict):
        return sum(_changes(before[name], item) for name, item in after.items())
    if isinstance(before, list) and isinstance(after, list):
        return sum(_changes(old, new) for old, new in zip(before, after, strict=True))
    return 1
