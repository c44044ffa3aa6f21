"""References in a config bring in data: with its type when they stand alone, as text inside a text."""

from typing import Any

import pytest

from orchestration.definition.references import UnknownStep, compile_value

SCOPE = {
    "input": {"guest": {"name": "Ana", "tags": ["vip"]}, "n": 7},
    "steps": {"a": {"b": {"n": 2}}, "a.b": {"n": 1}, "fetch-all": {"ids": [4, 5]}, "odd id!": {"x": 9}},
    "context": {"mode": "draft"},
    "event": {"paid": True},
    "item": {"word": "moin"},
}
IDS = set(SCOPE["steps"]) | {"later"}


def fill(value: Any) -> Any:
    """The value with its references filled in."""
    resolve = compile_value(value, IDS)
    return resolve(SCOPE) if resolve else value


@pytest.mark.parametrize(
    "text,value",
    [
        ("$input", SCOPE["input"]),
        ("$input.guest.tags", ["vip"]),
        ("$input.guest.tags[0]", "vip"),
        ("$steps.fetch-all.ids[1]", 5),
        ("$steps.a.b.n", 1),
        ("$steps.odd id!.x", 9),
        ("$context.mode", "draft"),
        ("$event.paid", True),
        ("$item.word", "moin"),
        ("$item", {"word": "moin"}),
    ],
)
def test_a_reference_alone_is_the_value_with_its_type(text: str, value: Any) -> None:
    assert fill(text) == value


@pytest.mark.parametrize("text", ["$input.nothing", "$input.n.x", "$steps.later.x", "$input.guest.tags[7]"])
def test_a_path_that_leads_nowhere_is_null(text: str) -> None:
    assert fill(text) is None


def test_inside_a_text_a_reference_becomes_text() -> None:
    assert (
        fill("$input.guest.name has $input.n, $input.guest.tags and '$input.nothing'.")
        == "Ana has 7, [\"vip\"] and ''."
    )


def test_a_doubled_sign_is_no_reference() -> None:
    assert fill("pay $$input.n") == "pay $input.n"
    assert fill("$$input.n") == "$input.n"


@pytest.mark.parametrize("text", ["$5", "$inputs", "cost: $", "$output.x", "$stepsister"])
def test_other_dollars_stay(text: str) -> None:
    assert fill(text) == text


def test_objects_and_lists_are_filled_in_and_what_is_constant_is_shared() -> None:
    config = {"a": ["$input.n", {"b": "$item.word"}], "constant": {"deep": [1]}}
    filled = fill(config)
    assert filled == {"a": [7, {"b": "moin"}], "constant": {"deep": [1]}}
    assert filled["constant"] is config["constant"] and config["a"][0] == "$input.n"


def test_what_comes_in_is_not_read_again() -> None:
    resolve = compile_value({"x": "$input.text"}, ())
    assert resolve is not None
    assert resolve({"input": {"text": "$context.secret"}, "context": {"secret": "s"}}) == {"x": "$context.secret"}


@pytest.mark.parametrize("value", ["$steps.nowhere.x", "see $steps.nowhere", {"k": ["$steps.nowhere"]}])
def test_a_step_that_does_not_exist_is_told(value: Any) -> None:
    with pytest.raises(UnknownStep, match="nowhere"):
        compile_value(value, IDS)
