"""Answers that must be JSON of a given schema: read, checked, and requested once more when they do not fit."""

from typing import Any

from agents.llm.answer_text import answer_json
from agents.llm.messages import Message, assistant, user
from config.values.json_schema import coerce, errors_of
from config.values.json_types import JsonObject

MAX_ERRORS = 10
INCOMPLETE = "Your answer is not complete yet:\n{errors}\nAnswer again, in the same form."
UNFIT = "Your answer does not fit the JSON Schema that was asked for:\n{errors}\nAnswer again: the JSON alone."


def coerce_answer(schema: JsonObject, text: str) -> tuple[Any, list[str]]:
    """(the answer's JSON value, coerced to the schema; sentences about what is wrong with it, none when it fits)."""
    try:
        value = answer_json(text)
    except ValueError:
        return None, ["The answer is not valid JSON."]
    result = coerce(schema, value)
    errors = errors_of(schema, result)
    return result, [f"{field}: {sentences[0]}" for field, sentences in errors.items()][:MAX_ERRORS]


def answer_errors(schema: JsonObject, text: str) -> list[str]:
    """Sentences about what does not fit the schema; none when all does."""
    return coerce_answer(schema, text)[1]


def repair(text: str, errors: list[str], *, in_form: bool) -> list[Message]:
    """The messages that ask for a better answer; `in_form`: its form is right, its content lacks something."""
    lines = "\n".join(f"- {sentence}" for sentence in errors)
    prompt = INCOMPLETE if in_form else UNFIT
    return [*assistant(text), user(prompt.format(errors=lines))]
