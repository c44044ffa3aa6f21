"""Answers that must be JSON of a given schema: read, checked, and asked for once more when they do not fit."""

import json
from typing import Any

from agents.tools.schema import errors_of

FENCE = "```"
WRONG_MOST = 10


def parsed(text: str) -> Any:
    """The JSON value of an answer, also in a code fence; ValueError when it is none."""
    text = text.strip()
    if text.startswith(FENCE) and text.endswith(FENCE) and len(text) > 6:
        text = text[3:-3].removeprefix("json").strip()
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def problems(schema: dict[str, Any], text: str) -> list[str]:
    """Sentences about what is wrong with this answer; none when it fits the schema."""
    try:
        value = parsed(text)
    except ValueError:
        return ["The answer is not valid JSON."]
    return [f"{field}: {told[0]}" for field, told in errors_of(schema, value).items()][:WRONG_MOST]


def repair(text: str, wrong: list[str], *, in_form: bool) -> list[dict[str, Any]]:
    """The messages that ask for a better answer; `in_form`: what is wrong is not its form."""
    told = "\n".join(f"- {sentence}" for sentence in wrong)
    if in_form:
        asked = f"Your answer is not complete yet:\n{told}\nAnswer again, in the same form."
    else:
        asked = f"Your answer does not fit the JSON Schema that was asked for:\n{told}\nAnswer again: the JSON alone."
    return [{"role": "assistant", "content": text}, {"role": "user", "content": asked}]
