"""One evaluator decides conditions of policies, teams and edges."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.conditions import OPERATORS, holds

MATCHES = [
    ("equals", "gold", "gold", "iron"),
    ("not_equals", "gold", "iron", "gold"),
    ("in", ["a", "b"], "b", "c"),
    ("not_in", ["a", "b"], "c", "a"),
    ("greater_than", 10, 11, 10),
    ("less_than", 10, 9.5, 10),
    ("gte", 10, 10, 9),
    ("lte", 10, 10, 11),
    ("contains", "urgent", "very urgent", "calm"),
    ("contains", 2, [1, 2], [1, 3]),
    ("contains", "k", {"k": None}, {"v": "k"}),
    ("not_contains", "urgent", "calm", "very urgent"),
    ("starts_with", "INV", "INV-1", "PRE-INV"),
    ("ends_with", "-EU", "X-EU", "X-EU-1"),
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=3), part, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("operator,value,yes,no", MATCHES)
def test_each_operator_tells_what_matches_from_what_does_not(operator: str, value: Any, yes: Any, no: Any) -> None:
    assert holds({"x": yes}, "x", operator, value)
    assert not holds({"x": no}, "x", operator, value)


@pytest.mark.parametrize("operator", [name for name in OPERATORS if name != "not_exists"])
def test_a_missing_field_is_false(operator: str) -> None:
    assert not holds({"y": 1}, "x", operator, None)


def test_only_presence_counts_for_exists_and_not_exists() -> None:
    assert holds({"x": None}, "x", "exists", True)
    assert not holds({"x": None}, "x", "not_exists")
    assert holds({}, "x", "not_exists")


def test_a_bool_is_not_a_number() -> None:
    assert not holds({"x": True}, "x", "equals", 1)
    assert not holds({"x": True}, "x", "gte", 0)
    assert not holds({"x": [True]}, "x", "contains", 1)


def test_texts_have_no_order() -> None:
    assert not holds({"x": "9"}, "x", "greater_than", "10")
    assert not holds({"x": "1234567890123456789"}, "x", "greater_than", 1)  # a number of 64 bits is no text


@pytest.mark.parametrize("large", ["1" * 30, "18446744073709551616", "12345678901234567.89", "9" * 4990])
def test_a_number_that_is_kept_as_text_for_its_digits_has_its_order(large: str) -> None:
    assert holds({"x": large}, "x", "gte", 50) and holds({"x": 50}, "x", "less_than", large)
    assert holds({"x": large + "0" if "." in large else large + "1"}, "x", "gte", large)
    assert not holds({"x": "-" + large}, "x", "gte", -50)
    assert not holds({"x": large}, "x", "gte", float("nan")) and not holds({"x": large}, "x", "gte", float("inf"))


def test_a_number_that_is_kept_as_text_for_its_digits_equals_itself() -> None:
    large = 10**29 + 7
    for first, second in ((large, str(large)), (str(large), large)):
        assert holds({"x": first}, "x", "equals", second) and not holds({"x": first}, "x", "not_equals", second)
        assert holds({"x": first}, "x", "in", [second]) and not holds({"x": first}, "x", "equals", second + second)
    assert not holds({"x": 7}, "x", "equals", "7")  # what 64 bits hold is no text


@pytest.mark.parametrize("path", ["a.b.0.c", "a.b[0].c", "a.b[-1].c"])
def test_a_dot_path_leads_through_objects_and_lists(path: str) -> None:
    assert holds({"a": {"b": [{"c": 5}]}}, path, "equals", 5)


def test_an_unknown_operator_never_matches() -> None:
    assert not holds({"x": 1}, "x", "resembles", 1)


@given(field=ANYTHING, value=ANYTHING, operator=st.sampled_from([*OPERATORS, "?"]), path=st.text(max_size=6))
def test_no_types_make_it_raise(field: Any, value: Any, operator: str, path: str) -> None:
    assert holds({"x": field}, "x", operator, value) in (True, False)
    assert holds(field, path, operator, value) in (True, False)
