"""The output of an MCP tool: structured content, texts, and images, audio, resources and links, whole or in short."""

from typing import Any

from agents.excerpts import summary
from config.values.foreign_json import read_json, write_json
from config.values.json_types import JsonObject

MAX_BINARY = 32_000  # characters of base64 that an output carries; of more only type and size
MAX_REASON = 500
BINARY = ("data", "blob")


def tool_output(result: JsonObject) -> Any:
    """The structured content; beside it, or without any, `content`: texts as such, anything else as an object."""
    parts = [_part(block) for block in _blocks(result)]
    data = result.get("structuredContent")
    if data is None:
        return {"content": parts}
    more = [part for part in parts if not (isinstance(part, str) and _repeats(part, data))]
    if not more:
        return data if isinstance(data, dict | list) else {"value": data}
    if isinstance(data, dict) and "content" not in data:
        return data | {"content": more}
    return {"structuredContent": data, "content": more}


def failure(result: JsonObject) -> str:
    """The message of a result with `isError`: its texts, its other blocks in short, and its data as JSON."""
    parts = [_summary(block) for block in _blocks(result)]
    text = summary(" ".join(part for part in parts if part), MAX_REASON)
    data = result.get("structuredContent")
    if data is None or _repeats(text, data):
        return text or "it does not say why"
    return f"{text} {data_text(data)}".strip()


def data_text(data: Any) -> str:
    """An error's data within a sentence."""
    return summary(data, MAX_REASON)


def _blocks(result: JsonObject) -> list[Any]:
    """The content's blocks; one alone is taken as a list of it."""
    content = result.get("content")
    if content is None:
        return []
    return content if isinstance(content, list) else [content]


def _part(block: Any) -> Any:
    """A text as such, any other block as the server wrote it, of large binary data the size alone."""
    if not isinstance(block, dict):
        return block
    if block.get("type") == "text" and isinstance(block.get("text"), str):
        return block["text"]
    part: JsonObject = {}
    for name, value in block.items():
        if name in BINARY and isinstance(value, str):
            part["size"] = _bytes_of(value)
            if len(value) <= MAX_BINARY:
                part[name] = value
            else:
                part["omitted"] = f"{name}: more than {MAX_BINARY:,} characters of base64"
        elif name == "resource":
            part[name] = _part(value)
        elif name != "_meta":
            part[name] = value
    return part


def _summary(block: Any) -> str:
    """A block in few words: its text, else type, address, name and size."""
    if not isinstance(block, dict):
        return block if isinstance(block, str) else write_json(block).decode()
    inner = block["resource"] if isinstance(block.get("resource"), dict) else block
    if isinstance(inner.get("text"), str):
        return " ".join(filter(None, [_word(inner, "uri"), inner["text"]]))
    words = [_word(inner, name) for name in ("title", "name", "uri", "description", "mimeType")]
    words += [f"{_bytes_of(inner[name])} bytes" for name in BINARY if isinstance(inner.get(name), str)]
    return f"[{', '.join(filter(None, [_word(block, 'type'), *words]))}]"


def _word(block: JsonObject, name: str) -> str:
    value = block.get(name)
    return value if isinstance(value, str) else ""


def _bytes_of(base64: str) -> int:
    """How many bytes the base64 stands for."""
    return len(base64.rstrip("=\n")) * 3 // 4


def _repeats(text: str, data: Any) -> bool:
    """Whether the text repeats the structured content, as servers do for older clients."""
    result = data.get("result") if isinstance(data, dict) and len(data) == 1 else None
    candidates = [data, result, *(result if isinstance(result, list) else ())]
    try:
        value: Any = read_json(text)
    except ValueError:
        value = text
    return value in candidates or text in candidates
