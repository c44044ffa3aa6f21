"""The messages that providers are sent, made from checked parts, so that a strict provider takes each of them.

Call ids are there and unique, arguments are the text of a JSON object, function names are legal, no message of the
assistant is empty, and all text consists of whole characters.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import orjson

from agents.function_calls import FunctionCall, parse_arguments
from config.characters import whole
from config.errors import Invalid

MAX_RESULT = 50_000  # characters of a tool's result that the model reads
MAX_NAME = 64
NOT_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")

Message = dict[str, Any]


def user(text: str) -> Message:
    """What a user says."""
    return {"role": "user", "content": whole(text)}


def system(text: str) -> Message:
    """What the model is instructed."""
    return {"role": "system", "content": whole(text)}


def assistant(text: str | None) -> list[Message]:
    """The model's own earlier answer; nothing for an answer without text, which providers refuse."""
    return [{"role": "assistant", "content": whole(text)}] if text and text.strip() else []


def tool_exchange(text: str, calls: list[FunctionCall], results: list[Any]) -> list[Message]:
    """The message of an answer that calls tools, and one with the result of each call.

    The ids of the calls must be unique (`with_unique_ids`).
    """
    content = whole(text) if text and text.strip() else None
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
        id, number = whole(call.id).strip(), len(used)
        while not id or id in used:
            id, number = f"call_{number}", number + 1
        used.add(id)
        unique.append(replace(call, id=id))
    return unique


def function_name(name: str) -> str:
    """The name in the letters that providers accept: letters, digits, _ and -, at most 64."""
    return NOT_A_NAME.sub("_", name)[:MAX_NAME] or "_"


def _tool_call(call: FunctionCall) -> dict[str, Any]:
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
        return json.dumps(parse_arguments(arguments), ensure_ascii=False)
    except Invalid:
        return "{}"


def _result_text(result: Any) -> str:
    """The result as JSON, cut when it is long."""
    try:
        text = orjson.dumps(result).decode()
    except TypeError:  # halves of characters, and whole numbers beyond 64 bits
        text = whole(json.dumps(result, ensure_ascii=False, separators=(",", ":"), default=str))
    return text[:MAX_RESULT]
