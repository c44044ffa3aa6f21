"""The parts of a model request that the rules look at."""

import json
from collections.abc import Iterator

from agents.llm.chat_model import ModelRequest
from config.values.json_types import Json, JsonObject

MEMORY_HEADING = "What you remember"  # begins the system message that brings the agent's memories
MAX_JSON_STARTS = 200  # brackets that are tried as the start of a JSON value: a text of brackets takes no longer
SUBJECTS = ("subject", "title", "summary", "assunto", "titulo")
MAX_TICKET_DEPTH = 4  # levels of objects in which a list of tickets is looked for


def last_text(request: ModelRequest, role: str) -> str:
    """The text of the last message of this role; for `tool` only of messages after the last user's."""
    for message in reversed(request.messages):
        if message["role"] == role:
            return str(message.get("content") or "")
        if role == "tool" and message["role"] == "user":
            return ""
    return ""


def instructions(request: ModelRequest) -> str:
    """The system's texts without the agent's memories."""
    return "\n".join(text for text in _system_texts(request) if not text.startswith(MEMORY_HEADING))


def memories(request: ModelRequest) -> str:
    """The memories that the request brings, a line each; "" for none."""
    texts = (text.partition("\n")[2] for text in _system_texts(request) if text.startswith(MEMORY_HEADING))
    return next(texts, "")


def _system_texts(request: ModelRequest) -> list[str]:
    return [str(message["content"]) for message in request.messages if message["role"] == "system"]


def tickets(request: ModelRequest) -> list[JsonObject] | None:
    """The tickets in the messages of user and tools, the latest message first; None when there are none."""
    for message in reversed(request.messages):
        if message["role"] in ("user", "tool"):
            for value in json_values(str(message.get("content") or "")):
                result = tickets_in(value)
                if result is not None:
                    return result
    return None


def tickets_in(value: Json, depth: int = MAX_TICKET_DEPTH) -> list[JsonObject] | None:
    """The first list of objects with a subject in this JSON value, or its empty list `tickets`; None without one."""
    if isinstance(value, list):
        items = [item for item in value if isinstance(item, dict) and any(name in item for name in SUBJECTS)]
        return items or None
    if not isinstance(value, dict) or depth == 0:
        return None
    if value.get("tickets") == []:
        return []
    inner = (tickets_in(item, depth - 1) for item in value.values())
    return next((items for items in inner if items is not None), None)


def json_values(text: str) -> Iterator[Json]:
    """The JSON objects and arrays in a text, the outermost ones in order."""
    decoder, at = json.JSONDecoder(), 0
    for _ in range(MAX_JSON_STARTS):
        starts = [position for position in (text.find("{", at), text.find("[", at)) if position >= 0]
        if not starts:
            return
        try:
            value, at = decoder.raw_decode(text, min(starts))
            yield value
        except (ValueError, RecursionError):
            at = min(starts) + 1
