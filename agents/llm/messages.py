"""The messages that providers are sent, made from checked parts, so that a strict provider takes each of them.

Call ids are there and unique, arguments are the text of a JSON object, function names are legal, no message of the
assistant is empty, and all text consists of whole characters.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import orjson

from agents.llm.function_calls import FunctionCall, parse_arguments
from config.errors import Invalid
from config.values.foreign_json import clean_text, write_json
from config.values.json_types import JsonObject

MAX_RESULT = 50_000  # characters of a tool's result that the model reads
MAX_NAME = 64
EMPTY = "(an empty text)"  # of a user: what an agent before has answered, or an input has
NOT_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")

Message = JsonObject


def user(text: str) -> Message:
    """A message of the user."""
    return {"role": "user", "content": clean_text(text)}


def system(text: str) -> Message:
    """An instruction to the model."""
    return {"role": "system", "content": clean_text(text)}


def assistant(text: str | None) -> list[Message]:
    """The model's own earlier answer; nothing for an answer without text, which providers refuse."""
    return [{"role": "assistant", "content": clean_text(text)}] if text and text.strip() else []


def sendable(messages: Iterable[Message]) -> list[Message]:
    """The messages as strict providers take them: in whole characters, without empty ones of the assistant, an empty
    one of the user saying so, and what thus became two questions in a row in one.
    """
    result: list[Message] = []
    for message in messages:
        content = message.get("content")
        if isinstance(content, str):
            message = message | {"content": clean_text(content)}
        if message["role"] == "assistant" and not message.get("tool_calls") and not (content or "").strip():
            continue
        if message["role"] == "user" and isinstance(content, str) and not content.strip():
            message = user(EMPTY)
        if message["role"] == "user" and result and result[-1]["role"] == "user":
            message = user(f"{result.pop()['content']}\n\n{message['content']}")
        result.append(message)
    return result


def tool_exchange(text: str, calls: list[FunctionCall], results: list[Any]) -> list[Message]:
    """The message of an answer that calls tools, and one with the result of each call.

    The ids of the calls must be unique (`with_unique_ids`).
    """
    content = clean_text(text) if text and text.strip() else None
    results_of_calls = [
        {"role": "tool", "tool_call_id": call.id, "content": _result_text(result)}
        for call, result in zip(calls, results, strict=True)
    ]
    return [
        {"role": "assistant", "content": content, "tool_calls": [_tool_call(call) for call in calls]},
        *results_of_calls,
    ]


def with_unique_ids(calls: list[FunctionCall], messages: Iterable[Message]) -> list[FunctionCall]:
    """The calls, each under an id that neither another one nor any of the earlier messages has."""
    used = {call["id"] for message in messages for call in message.get("tool_calls") or ()}
    unique = []
    for call in calls:
        id, number = clean_text(call.id).strip(), len(used)
        while not id or id in used:
            id, number = f"call_{number}", number + 1
        used.add(id)
        unique.append(replace(call, id=id))
    return unique


def function_name(name: str) -> str:
    """The name in the letters that providers accept: letters, digits, _ and -, at most 64."""
    return NOT_A_NAME.sub("_", name)[:MAX_NAME] or "_"


def _tool_call(call: FunctionCall) -> JsonObject:
    function = {"name": function_name(call.name), "arguments": _object_text(call.arguments)}
    return {"id": call.id, "type": "function", "function": function}


def _object_text(arguments: str) -> str:
    """The arguments as the model wrote them, if they are a JSON object; {} for what cannot be read as one."""
    try:
        if isinstance(orjson.loads(arguments), dict):
            return arguments
    except ValueError:
        pass
    try:
        return write_json(parse_arguments(arguments)).decode()
    except Invalid:
        return "{}"


def _result_text(result: Any) -> str:
    """The result as JSON, cut when it is long."""
    return write_json(result).decode()[:MAX_RESULT]
