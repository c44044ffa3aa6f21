"""The messages of an MCP server, made fit for the protocol's library, and the result of a tool call kept as it came.

The library refuses JSON that it cannot hold and content that it does not know, after the tool has acted; so results are
read here, and the library gets the message without them.
"""

import json
from dataclasses import dataclass
from typing import Any

from config.outbound.charsets import text_of
from config.values.foreign_json import clean_text, clean_value, parse_json, write_json
from config.values.json_types import JsonObject

JSON, EVENTS = "application/json", "text/event-stream"


@dataclass
class Exchange:
    """One request to an MCP server. `result` is what its tool answered, once it is here."""

    method: str
    id: Any
    result: JsonObject | None = None

    @classmethod
    def of(cls, body: bytes) -> "Exchange":
        """That of this request."""
        try:
            message = json.loads(body)
        except ValueError:
            message = None
        return cls(message.get("method", ""), message.get("id")) if isinstance(message, dict) else cls("", None)

    def convert(self, body: bytes, content_type: str) -> tuple[bytes, str]:
        """(body, content type) of the answer with JSON that the library can read: in UTF-8, whatever it came in."""
        kind = content_type.partition(";")[0].strip().lower()
        if kind.startswith(EVENTS):
            lines = text_of(body, content_type).replace("\r\n", "\n").replace("\r", "\n")
            return "\n\n".join(map(self._convert_event, lines.split("\n\n"))).encode(), kind
        if kind.startswith(JSON):
            return self._convert_message(text_of(body, content_type)), kind
        return body, content_type

    def _convert_event(self, event: str) -> str:
        """A server-sent event; its data is one message."""
        lines = event.split("\n")
        data = [line.removeprefix("data:").removeprefix(" ") for line in lines if line.startswith("data:")]
        if not any(data):
            return event
        message = self._convert_message("\n".join(data)).decode()
        return "\n".join([line for line in lines if not line.startswith("data:")] + [f"data: {message}"])

    def _convert_message(self, text: str) -> bytes:
        try:
            message = parse_json(text)
        except RecursionError:
            message = {"jsonrpc": "2.0", "id": self.id, "result": {"content": [{"type": "text", "text": text}]}}
        except ValueError:
            return clean_text(text).encode()
        if self.method == "tools/call" and isinstance(message, dict) and isinstance(message.get("result"), dict):
            message["result"] = self._take_result(message["result"])
        return write_json(clean_value(message))

    def _take_result(self, result: JsonObject) -> JsonObject:
        """Keep the tool's result; the library gets one without content. `isError` keeps it from asking for the tool's
        schema, and from refusing the result after the tool has acted.
        """
        if result.get("resultType", "complete") != "complete":
            return result
        self.result = {name: clean_value(value) for name, value in result.items()}
        return {**{n: v for n, v in result.items() if n == "resultType"}, "content": [], "isError": True}
