"""A conversation is kept under the model's window by leaving out what is oldest, never by failing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.llm.chat_model import ModelProfile, ModelRequest, rough_tokens
from agents.llm.window import fit_messages

PROFILE = ModelProfile("openai", "gpt-4o-mini", max_tokens=200)


def request(messages: list[dict[str, Any]]) -> ModelRequest:
    """A request of these messages."""
    return ModelRequest("a", PROFILE, messages)


def exchange(number: int, length: int = 300) -> list[dict[str, Any]]:
    """A question, a tool call with its result, an answer."""
    call = {"id": f"c{number}", "type": "function", "function": {"name": "t", "arguments": "{}"}}
    return [
        {"role": "user", "content": f"question {number} " + "q" * length},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"c{number}", "content": "r" * length},
        {"role": "assistant", "content": f"answer {number}"},
    ]


SYSTEM = {"role": "system", "content": "Be brief."}


def test_what_fits_is_left_alone() -> None:
    messages = [SYSTEM, *exchange(1)]
    assert fit_messages(request(messages), 10_000) == messages


def test_the_oldest_exchanges_go_whole_and_it_is_said() -> None:
    messages = [SYSTEM, *(m for n in range(30) for m in exchange(n)), {"role": "user", "content": "and now?"}]
    kept = fit_messages(request(messages), 2_000)
    assert kept[0] == SYSTEM and "earlier messages" in kept[1]["content"] and kept[-1]["content"] == "and now?"
    assert kept[2]["role"] == "user" and not any("_note" in message for message in kept)
    calls = {call["id"] for m in kept for call in m.get("tool_calls", ())}
    assert calls == {m["tool_call_id"] for m in kept if m["role"] == "tool"}


def test_long_results_are_cut_before_anything_is_left_out() -> None:
    messages = [SYSTEM, *exchange(1, 20_000)[:3]]
    messages[1]["content"] = "look it up"
    kept = fit_messages(request(messages), 2_000)
    assert len(kept) == 4 and kept[1]["content"] == "look it up" and "20000 characters" in kept[3]["content"]


@pytest.mark.parametrize("length", [10_000, 1_000_000])
def test_a_single_huge_question_keeps_its_beginning_and_its_end(length: int) -> None:
    text = "BEGIN " + "x" * length + " END"
    kept = fit_messages(request([SYSTEM, {"role": "user", "content": text}]), 2_000)
    assert kept[1]["content"].startswith("BEGIN") and kept[1]["content"].endswith("END")


@given(st.lists(st.integers(0, 5_000), min_size=1, max_size=20), st.integers(1_500, 8_000))
def test_it_always_fits(lengths: list[int], window: int) -> None:
    messages = [SYSTEM, *(m for number, length in enumerate(lengths) for m in exchange(number, length))]
    kept = fit_messages(request(messages), window)
    assert rough_tokens(request(kept)) <= window - 200 and kept[0] == SYSTEM
