"""Answers that must be JSON of a given schema: read, checked, and asked for once more when they do not fit."""

from typing import Any

from agents.llm.answer_text import answer_json
from agents.llm.messages import assistant, user
from config.values.json_schema import coerce, errors_of

MAX_ERRORS = 10


def fitted(schema: dict[str, Any], text: str) -> tuple[Any, list[str]]:
    """(the answer's JSON value, coerced to the schema; sentences about what is wrong with it, none when it fits)."""
    try:
        value = answer_json(text)
    except ValueError:
        return None, ["The answer is not valid JSON."]
    result = coerce(schema, value)
    errors = errors_of(schema, result)
    return result, [f"{field}: {sentences[0]}" for field, sentences in errors.items()][:MAX_ERRORS]


def problems(schema: dict[str, Any], text: str) -> list[str]:
    """Sentences about what is wrong with this answer; none when it fits the schema."""
    return fitted(schema, text)[1]


def repair(text: str, wrong: list[str], *, in_form: bool) -> list[dict[str, Any]]:
    """The messages that ask for a better answer; `in_form`: what is wrong is not its form."""
    told = "\n".join(f"- {sentence}" for sentence in wrong)
    if in_form:
        asked = f"Your answer is not complete yet:\n{told}\nAnswer again, in the same form."
    else:
        asked = f"Your answer does not fit the JSON Schema that was asked for:\n{told}\nAnswer again: the JSON alone."
    return [*assistant(text), user(asked)]
