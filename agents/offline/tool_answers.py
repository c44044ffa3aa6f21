"""The outputs of tools in plain words."""

import json
from collections.abc import Callable

from agents.excerpts import summary
from agents.llm.chat_model import ModelRequest
from agents.offline.plain_requests import REQUESTS
from agents.offline.texts import SIGNATURE, identifier
from config.values.json_types import Json

MAX_OUTPUT_LENGTH = 2_000  # characters of an output that no function here describes
MAX_ROWS = 20


def describe(request: ModelRequest, output: str) -> str:
    """The output, which is JSON, of the request's last tool call: in words where a function describes it."""
    message = next(message for message in reversed(request.messages) if message.get("tool_calls"))
    name = message["tool_calls"][-1]["function"]["name"]
    tool_id = next((plain.tool for plain in REQUESTS if identifier(plain.tool) == identifier(name)), None)
    try:
        text = in_words(tool_id, json.loads(output)) if tool_id else ""
    except (ValueError, KeyError, TypeError):
        text = ""
    return (
        f"{text}\n{SIGNATURE}" if text else f"The offline model called the tool: {summary(output, MAX_OUTPUT_LENGTH)}"
    )


def in_words(tool_id: str, output: Json) -> str:
    """The tool's output or its error in plain words; "" when no function here describes it."""
    if not isinstance(output, dict | list):
        return ""
    if isinstance(output, dict) and "error" in output and "error_type" in output:
        return f"That did not work: {output['error']}"
    function = DESCRIPTIONS.get(tool_id)
    return function(output) if function else ""


def _memories(output: Json) -> str:
    if not output:
        return "I remember nothing about that."
    return "I remember:\n" + "\n".join(f"- {memory['content']}" for memory in output)


def _files(output: Json) -> str:
    lines = [f"- {file['path']} ({file['size']} bytes)" for file in output["files"]]
    return "\n".join(["There are no files yet." if not lines else "The files:", *lines])


def _tickets(output: Json) -> str:
    lines = [f"- {ticket.get('id')}: {ticket.get('subject')}" for ticket in output["tickets"]]
    return "\n".join([f"{output['count']} tickets are open:", *lines])


def _rows(output: Json) -> str:
    rows = output["results"]
    if len(rows) == 1 and len(rows[0]) == 1:
        return f"{next(iter(rows[0].values()))} (by {output['sql']})"
    lines = ["- " + ", ".join(f"{name}: {value}" for name, value in row.items()) for row in rows[:MAX_ROWS]]
    return "\n".join([f"{output['rowCount']} rows (by {output['sql']}):", *lines])


DESCRIPTIONS: dict[str, Callable[[Json], str]] = {
    "memory.store": lambda output: "I will remember that.",
    "memory.search": _memories,
    "files.write": lambda output: f"Written: {output['path']}, {output['size']} bytes, version {output['version']}.",
    "files.read": lambda output: str(output["content"]),
    "files.list": _files,
    "ticketing.list_open": _tickets,
    "natural_language_db_read": _rows,
}
