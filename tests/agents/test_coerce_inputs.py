"""Inputs are coerced through all that schemas are made of; what fits is left alone, digits are kept or refused."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import Invalid
from config.values.json_schema import coerce, errors_of, schema_problems, validate_input
from tests.agents.far_end import FarEnd
from tests.factories import make_user, token_of
from tests.front import Front

if TYPE_CHECKING:
    from accounts.models import Tenant

INTEGER, NUMBER, TEXT, FLAG, NULL = ({"type": kind} for kind in ("integer", "number", "string", "boolean", "null"))
PLACE = {"type": "object", "properties": {"room": INTEGER, "open": FLAG}, "required": ["room"]}
TREE = {"properties": {"n": INTEGER, "below": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}


def n(schema: Any, **more: Any) -> dict[str, Any]:
    """The schema of an input with one field."""
    return {"type": "object", "properties": {"n": schema}, **more}


def outcome(schema: dict[str, Any], value: Any) -> Any:
    """The coerced input, or the names of the fields that are refused."""
    try:
        return validate_input(schema, value)
    except Invalid as refusal:
        return list(refusal.context["errors"])


@pytest.mark.parametrize(
    "schema,value,expected",
    [
        ({"anyOf": [INTEGER, NULL]}, "3", 3),
        ({"anyOf": [INTEGER, NULL]}, "null", None),
        ({"anyOf": [INTEGER, TEXT]}, "3", "3"),
        ({"type": ["string", "integer"]}, "3", "3"),
        ({"type": ["integer", "null"]}, "3", 3),
        ({"type": ["string", "null"]}, 3, "3"),
        ({"anyOf": [PLACE, NULL]}, '{"room": "4", "open": "true"}', {"room": 4, "open": True}),
        ({"anyOf": [{"type": "array", "items": INTEGER}, INTEGER]}, "5", 5),
        ({"anyOf": [{"type": "array", "items": INTEGER}, INTEGER]}, '["5"]', [5]),
        ({"oneOf": [INTEGER, FLAG]}, "true", True),
        ({"oneOf": [INTEGER, NUMBER]}, "3.5", 3.5),
        ({"oneOf": [PLACE, {"type": "object", "required": ["hall"]}]}, {"room": "4"}, {"room": 4}),
        ({"anyOf": [{"properties": {"a": INTEGER, "b": INTEGER}}, {"properties": {"a": TEXT, "b": INTEGER}}]},
         {"a": "1", "b": "2"}, {"a": "1", "b": 2}),
        ({"allOf": [INTEGER, {"minimum": 3}]}, "3", 3),
        ({"allOf": [{"properties": {"a": INTEGER}}, {"properties": {"b": FLAG}}]}, {"a": "1", "b": "false"},
         {"a": 1, "b": False}),
        ({"$ref": "#/$defs/place"}, {"room": "4"}, {"room": 4}),
        ({"$ref": "#/$defs/tree"}, {"n": "1", "below": [{"n": "2", "below": [{"n": "3"}]}]},
         {"n": 1, "below": [{"n": 2, "below": [{"n": 3}]}]}),
        ({"additionalProperties": INTEGER}, {"x": "3", "y": "4"}, {"x": 3, "y": 4}),
        ({"properties": {"x": TEXT}, "additionalProperties": INTEGER}, {"x": "3", "y": "4"}, {"x": "3", "y": 4}),
        ({"patternProperties": {"^n_": INTEGER}}, {"n_x": "3", "y": "4"}, {"n_x": 3, "y": "4"}),
        ({"patternProperties": {"^n_": INTEGER}, "additionalProperties": FLAG}, {"n_x": "3", "y": "true"},
         {"n_x": 3, "y": True}),
        ({"type": "array", "prefixItems": [INTEGER, TEXT]}, ["1", "2"], [1, "2"]),
        ({"type": "array", "prefixItems": [INTEGER], "items": FLAG}, ["1", "true", "false"], [1, True, False]),
        ({"type": "array", "items": [INTEGER, TEXT], "additionalItems": FLAG}, ["1", "2", "true"], [1, "2", True]),
        ({"enum": [1, 2, 3]}, "3", 3),
        ({"enum": [1, 2, "3"]}, "3", "3"),
        ({"enum": ["1", "2"]}, 1, "1"),
        ({"const": 2.5}, "2.5", 2.5),
        ({"const": True}, "true", True),
        ({"properties": {"kind": INTEGER}, "if": {"properties": {"kind": {"const": 1}}},
          "then": {"properties": {"v": INTEGER}}, "else": {"properties": {"v": FLAG}}},
         {"kind": "1", "v": "0"}, {"kind": 1, "v": 0}),
        ({"if": {"properties": {"kind": {"const": 1}}}, "then": {"properties": {"v": INTEGER}},
          "else": {"properties": {"v": FLAG}}}, {"kind": 2, "v": "true"}, {"kind": 2, "v": True}),
        ({"dependentSchemas": {"a": {"properties": {"b": INTEGER}}}}, {"a": 1, "b": "2"}, {"a": 1, "b": 2}),
        ({"dependencies": {"a": {"properties": {"b": INTEGER}}}}, {"a": 1, "b": "2"}, {"a": 1, "b": 2}),
    ],
)  # fmt: skip
def test_a_value_is_coerced_through_every_part_of_a_schema(schema: Any, value: Any, expected: Any) -> None:
    whole = n(schema) | {"$defs": {"place": PLACE, "tree": TREE}}
    assert schema_problems(whole) == []
    result = validate_input(whole, {"n": value})
    assert json.dumps(result) == json.dumps({"n": expected})
    assert validate_input(whole, result) == result


@pytest.mark.parametrize(
    "text,integer,number",
    [
        ("9007199254740993", 9007199254740993, 9007199254740993),
        ("-9223372036854775808", -(2**63), -(2**63)),
        ("123456789012345678901234567890", 123456789012345678901234567890, 123456789012345678901234567890),
        ("9007199254740993.0", 9007199254740993, 9007199254740993),
        ("1e3", 1000, 1000.0),
        ("12E2", 1200, 1200.0),
        ("3.0", 3, 3.0),
        ("+5", 5, 5),
        ("-0", 0, 0),
        (" 4 ", 4, 4),
        ("0.1", ["n"], 0.1),
        ("1e200", 10**200, 1e200),
        ("1e300", ["n"], 1e300),
        ("12345678901234567.89", ["n"], ["n"]),
        ("0.1234567890123456789", ["n"], ["n"]),
        ("1e999", ["n"], ["n"]),
        ("9" * 301, ["n"], ["n"]),
        ("1_000", ["n"], ["n"]),
        ("\uff13", ["n"], ["n"]),
        ("NaN", ["n"], ["n"]),
        ("Infinity", ["n"], ["n"]),
        ("0x10", ["n"], ["n"]),
        ("three", ["n"], ["n"]),
    ],
)
def test_a_number_has_the_digits_of_its_text_or_is_refused(text: str, integer: Any, number: Any) -> None:
    for schema, expected in ((INTEGER, integer), (NUMBER, number)):
        result = outcome(n(schema), {"n": text})
        assert result == (expected if isinstance(expected, list) else {"n": expected})
        assert isinstance(expected, list) or type(result["n"]) is type(expected)
    assert validate_input(n({"type": ["integer", "number", "string"]}), {"n": text}) == {"n": text}


def test_too_many_digits_are_told_with_the_remedy() -> None:
    with pytest.raises(Invalid) as refusal:
        validate_input(n(NUMBER), {"n": "12345678901234567.89"})
    assert "let the schema take a text" in refusal.value.context["errors"]["n"][0]


@pytest.mark.parametrize(
    "schema,value,field",
    [
        ({"anyOf": [INTEGER, NULL]}, "three", "n"),
        ({"anyOf": [PLACE, NULL]}, {"room": "x"}, "n.room"),
        ({"anyOf": [PLACE, NULL]}, {}, "n.room"),
        ({"oneOf": [INTEGER, NUMBER]}, 3, "n"),
        ({"$ref": "#/$defs/tree"}, {"below": [{"n": "x"}]}, "n.below.0.n"),
        ({"additionalProperties": INTEGER}, {"x": "y"}, "n.x"),
        ({"additionalProperties": False}, {"x": 1}, "n.x"),
        ({"patternProperties": {"^n_": INTEGER}, "additionalProperties": False}, {"n_x": 1, "y": 1}, "n.y"),
        ({"patternProperties": {"^n_": INTEGER}}, {"n_x": "y"}, "n.n_x"),
        ({"items": [INTEGER], "additionalItems": False}, [1, 2], "n"),
        ({"items": [INTEGER]}, ["x"], "n.0"),
        ({"dependencies": {"a": ["b"]}}, {"a": 1}, "n"),
        ({"not": TEXT}, "x", "n"),
        ({"enum": [1, 2]}, "3", "n"),
        ({"enum": [1]}, True, "n"),
        ({"type": "object"}, '{"a": ' + "[" * 300 + "]" * 300 + "}", "n"),
        ({"type": "object"}, "{a: 1}", "n"),
    ],
)
def test_what_fits_nothing_is_refused_by_its_field(schema: Any, value: Any, field: str) -> None:
    assert outcome(n(schema) | {"$defs": {"tree": TREE}}, {"n": value}) == [field]


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"$defs": {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(30)} | {"d30": {}},
         "$ref": "#/$defs/d0"},
        {"$ref": "#/$defs/none"},
    ],
)  # fmt: skip
def test_a_schema_that_never_ends_is_given_up(schema: Any) -> None:
    with pytest.raises(Invalid) as refusal:
        validate_input(schema, {"a": "1"})
    assert "schema cannot be used" in refusal.value.context["errors"]["input_schema"][0]


def test_alternatives_within_alternatives_do_not_multiply() -> None:
    """Eight kinds of node, each of which may hold another one, fifty levels deep: 8^50 ways to look at it."""
    kinds = [
        {"type": "object", "properties": {"kind": {"const": kind}, "n": INTEGER, "below": {"$ref": "#/$defs/node"}},
         "required": ["kind"]}
        for kind in "abcdefgh"
    ]  # fmt: skip
    schema = {"$defs": {"node": {"anyOf": kinds}}, "properties": {"n": {"$ref": "#/$defs/node"}}}
    value: dict[str, Any] = {"kind": "h", "n": "1"}
    for _ in range(50):
        value = {"kind": "h", "n": "1", "below": value}
    result = validate_input(schema, {"n": value})
    assert '"1"' not in json.dumps(result) and result["n"]["below"]["below"]["n"] == 1


LEAVES: list[Any] = [INTEGER, NUMBER, TEXT, FLAG, NULL, {"enum": [1, "2", None]}, {"const": "1"}, {"minimum": 2}, {},
                     {"type": ["integer", "string"]}, {"type": "string", "pattern": "^[0-9]"}]  # fmt: skip
SCHEMAS = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"anyOf": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"oneOf": parts}),
        st.lists(inner, min_size=1, max_size=2).map(lambda parts: {"allOf": parts}),
        st.dictionaries(st.sampled_from("ab"), inner, max_size=2).map(lambda parts: {"properties": parts}),
        inner.map(lambda part: {"type": "array", "items": part}),
        st.tuples(inner, inner).map(lambda parts: {"prefixItems": [parts[0]], "items": parts[1]}),
        inner.map(lambda part: {"type": "object", "additionalProperties": part}),
        st.tuples(inner, inner, inner).map(lambda three: dict(zip(("if", "then", "else"), three, strict=True))),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 3, 2.5, 3.0, 1e30, "", "1", "2", "3.0", "1e2", "true", "null", "x",
                     '{"a": "1"}', '["1"]', "12345678901234567890123"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@given(SCHEMAS, VALUES)
def test_coercion_is_idempotent_and_never_makes_a_fitting_value_unfit(schema: Any, value: Any) -> None:
    result = coerce(schema, value)
    assert json.dumps(coerce(schema, result)) == json.dumps(result)
    if not errors_of(schema, value):
        assert not errors_of(schema, result)
        assert result == value, "what fits is left as it is"


def test_an_input_of_many_items_is_checked() -> None:
    schema = n(
        {"type": "array", "items": {"$ref": "#/$defs/item"}, "uniqueItems": True}, **{"$defs": {"item": INTEGER}}
    )
    assert len(validate_input(schema, {"n": [str(number) for number in range(5_000)]})["n"]) == 5_000


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    "schema,value,expected",
    [
        (n({"anyOf": [INTEGER, NULL]}), {"n": "3"}, {"n": 3}),
        (n({"$ref": "#/$defs/place"}, **{"$defs": {"place": PLACE}}), {"n": {"room": "4"}}, {"n": {"room": 4}}),
        ({"allOf": [n(INTEGER)]}, {"n": "3"}, {"n": 3}),
        ({"additionalProperties": INTEGER}, {"x": "3"}, {"x": 3}),
        (n({"type": "array", "items": [INTEGER, TEXT]}), {"n": ["1", "2"]}, {"n": [1, "2"]}),
        ({"patternProperties": {"^n": INTEGER}}, {"n1": "9007199254740993"}, {"n1": 9007199254740993}),
    ],
)
def test_the_tools_server_gets_the_coerced_input(
    front: Front, acme: "Tenant", far_end: FarEnd, schema: Any, value: Any, expected: Any
) -> None:
    token = token_of(make_user(acme, "developer"))
    body = {"id": "t", "name": "T", "handler_config": {"url": far_end.url}, "input_schema": schema}
    answer = front.post("/api/v1/tools", token, body)
    assert answer.status_code == 201, answer.text
    assert front.post("/api/v1/tools/t/execute", token, {"input": value}).json()["status"] == "completed"
    assert json.loads(far_end.hits[0].body) == expected
