"""References in a config bring in data: with its type when they stand alone, as text inside a text."""

from typing import Any

import pytest

from orchestration.workflows.expressions.references import UnknownStep, compile_value, references_in

SCOPE = {
    "input": {
        "guest": {"name": "Ana", "tags": ["vip"]},
        "n": 7,
        "year": 2024,
        "month": "06",
        "from": 1,
        "to": 9,
        "on": True,
        "a-b": {"c": 3},
        "último": "x",
        "имя": "Анна",
        "नाम": "अना",
        "cafe\u0301": "nfd",
        "a b": {"c.d": 5},
        "empty": None,
        "_x1": 1,
        "list": [[1, 2], {"k": "v"}],
    },
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
        ("$input.a-b.c", 3),
        ("$input.último", "x"),
        ("$input.имя", "Анна"),
        ("$input.नाम", "अना"),
        ("$input.cafe\u0301", "nfd"),
        ('$input["a b"]["c.d"]', 5),
        ("$input['a-b'].c", 3),
        ("$input._x1", 1),
        ("$input.list[0][1]", 2),
        ("$input.list[-1].k", "v"),
        ("$input.list.0.1", 2),
        ("$input.empty", None),
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


@pytest.mark.parametrize(
    "text,filled",
    [
        ("$input.year-$input.month", "2024-06"),
        ("reports/$input.year-$input.month.csv", "reports/2024-06.csv"),
        ("$input.month.csv of $input.year", "06.csv of 2024"),
        ("from $input.from-$input.to.", "from 1-9."),
        ("$input.from - $input.to", "1 - 9"),
        ("$input.from--$input.to", "1--9"),
        ("$input.guest.name: $input.n.", "Ana: 7."),
        ("$input.guest.name's, ($input.n), «$input.último»…", "Ana's, (7), «x»…"),
        ("$steps.a.b.n/$steps.fetch-all.ids[0]", "1/4"),
        ("$steps.odd id!.x/$steps.a.b.n", "9/1"),
        ("see $steps.odd id!.x now", "see 9 now"),
        ("$steps.a.b.n is the number.", "1 is the number."),
        ("$input.n$input.n", "77"),
        ("$input.n.$input.n", "7.7"),
        ("$input.n[1] and $input.on.off", "7[1] and true.off"),
        ("v$input.n.0-rc", "v7.0-rc"),
        ("[$input.empty][$input.empty.x]", "[][]"),
        ("$input-x $input.n-", "$input-x 7-"),
        ("$input.гость $input.имя!", " Анна!"),
        ("$$input.year-$input.month.$$steps.nowhere.x", "$input.year-06.$steps.nowhere.x"),
    ],
)
def test_a_name_ends_where_it_ends(text: str, filled: str) -> None:
    assert fill(text) == filled


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
    with pytest.raises(UnknownStep, match=r"\$steps\.nowhere.*no node has the id 'nowhere'"):
        compile_value(value, IDS)


def test_those_that_lead_nowhere_are_known() -> None:
    config = {
        "a": "$input.nothing",
        "b": ["x $input.guest.nmae y", "$input.n.csv", "$input.month.csv!", "$input.empty"],
    }
    empty = [found.text for found in references_in(config, IDS) if found.is_empty(SCOPE)]
    assert empty == ["$input.nothing", "$input.guest.nmae", "$input.n.csv"]
