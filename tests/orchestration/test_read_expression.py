"""An edge's condition is an expression, a question in free words, or a mistake that saving tells of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.workflows.expressions.edge_conditions import Expression, InvalidExpression, read_condition

SCOPE = {
    "output": {
        "priority": "urgent",
        "n": 5,
        "text": "a fire",
        "tags": ["vip", "late"],
        "none": None,
        "in": 1,
        "último": "x",
    },
    "input": {"guest": {"name": "Ana"}, "имя": "Анна", "नाम": 1, "a-b": 2, "2nd": 3, "long": "1" * 30, "first name": 4},
    "steps": {"a.b": {"n": 1}, "fetch-all": [{"id": 3}]},
    "context": {"mode": "draft"},
    "event": {},
}
IDS = {"a", "a.b", "fetch-all"}


def read(text: str) -> Expression:
    """The condition as an expression."""
    found = read_condition(text, IDS)
    assert found is not None, f"{text!r} was taken for free words"
    return found


@pytest.mark.parametrize(
    "text",
    [
        'output.priority == "urgent"',
        "output.priority == 'urgent' and output.n == 5",
        'output.n == 0 or output.priority != "low"',
        'not output.priority == "low"',
        "!(output.n < 3) && true || false",
        'output.priority in ["urgent", "high"]',
        'output.priority not in ["low"]',
        '"vip" in output.tags',
        'output.text contains "fire"',
        'output.text not contains "water"',
        'output.text starts_with "a" and output.text ends_with "fire"',
        "output.n > 4 and output.n <= 5 and output.n >= 5.0 and output.n < 1e3",
        "output.n exists and output.absent not exists",
        "output.none == null",
        'output.tags[0] == "vip" and output.tags.1 == "late"',
        'output["n"] == 5',
        "output.in == 1",
        "steps.a.b.n == 1",
        "steps.fetch-all[0].id >= 3",
        'context.mode == "draft" AND NOT input.guest.name == "Eva"',
        "output.tags",
        "output.último == 'x' and not output.ultimo == 'x'",
        "input.имя == 'Анна' and input.नाम == 1",
        'input.a-b == 2 and input["a-b"] == 2 and input.2nd == 3 and input["first name"] == 4',
        f"input.long == {'1' * 30} and input.long != {'1' * 29}",
        'steps["fetch-all"][0].id == 3',
    ],
)
def test_an_expression_holds(text: str) -> None:
    assert read(text).holds(SCOPE)


@pytest.mark.parametrize(
    "text",
    ['output.absent == "x"', 'output.absent != "x"', "output.n == true", "output.text > 3", "event.x", "not output.n"],
)
def test_an_expression_does_not_hold(text: str) -> None:
    assert not read(text).holds(SCOPE)


def test_and_binds_closer_than_or() -> None:
    assert read("output.n == 5 or output.n == 5 and output.n == 0").holds(SCOPE)
    assert not read("(output.n == 5 or output.n == 5) and output.n == 0").holds(SCOPE)


@pytest.mark.parametrize(
    "text",
    [
        "the guest sounds angry",
        "is it urgent?",
        "output contains no name",
        "Ticket is about money (refund, invoice)",
        "é urgente?",
        "клиент недоволен",
        "x",
    ],
)
def test_free_words_are_a_question(text: str) -> None:
    assert read_condition(text, IDS) is None


@pytest.mark.parametrize(
    "text,told",
    [
        ("output.n = 3", "write == to compare"),
        ("output = 3", "write == to compare"),
        ("output.n ==", "at position 12"),
        ("output.n == 3 output.n == 4", "at position 15"),
        ("price > 100", "at position 1"),
        ('output.when < "2026-01-01"', "texts have no order"),
        ("1 < output.n < 9", "between two comparisons"),
        ("steps.nowhere.x == 1", "no node has that id"),
        ("(output.n", "needs ')'"),
        ("not output.", "a field's name"),
        ("output.x == @", "at position 13"),
        ("output.a- == 1", "at position 9"),
        ("último == 1", "at position 1"),
        ("not " * 60 + "output.n", "deeper than 50"),
        ("output.n == " + "(" * 60 + "1", "deeper than 50"),
        ("output.n == " + "1" * 2000, "longer than 2000"),
    ],
)
def test_what_was_meant_as_an_expression_must_be_one(text: str, told: str) -> None:
    with pytest.raises(InvalidExpression) as fault:
        read_condition(text, IDS)
    assert told in fault.value.message


@given(st.text(max_size=40) | st.text(alphabet="outpn.=!<>&|()[]\"'0159 ,contaisr", max_size=40))
def test_any_text_is_one_of_the_three(text: str) -> None:
    try:
        found = read_condition(text, IDS)
    except InvalidExpression:
        return
    assert found is None or found.holds(SCOPE) in (True, False)
