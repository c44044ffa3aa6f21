"""What an MCP tool answers: structured content, texts, and images, audio, resources and links, carried or named."""

from typing import Any

from agents.excerpts import summary
from config.values.foreign_json import read_json, write_json

MAX_BINARY = 32_000  # characters of base64 that an answer carries; of more it says type and size
MAX_REASON = 500
BINARY = ("data", "blob")


def tool_output(result: dict[str, Any]) -> Any:
    """The structured content; beside it, or without any, `content`: texts as such, anything else as an object."""
    parts = [_carried(block) for block in _blocks(result)]
    structured = result.get("structuredContent")
    if structured is None:
        return {"content": parts}
    more = [part for part in parts if not (isinstance(part, str) and _repeats(part, structured))]
    if not more:
        return structured if isinstance(structured, dict | list) else {"value": structured}
    if isinstance(structured, dict) and "content" not in structured:
        return structured | {"content": more}
    return {"structuredContent": structured, "content": more}


def failure(result: dict[str, Any]) -> str:
    """What an answer with `isError` says: its texts, what else it brought, and its data as JSON."""
    parts = [_named(block) for block in _blocks(result)]
    text = summary(" ".join(part for part in parts if part), MAX_REASON)
    structured = result.get("structuredContent")
    if structured is None or _repeats(text, structured):
        return text or "it does not say why"
    return f"{text} {data_text(structured)}".strip()


def data_text(data: Any) -> str:
    """An error's data within a sentence."""
    return summary(data, MAX_REASON)


def _blocks(result: dict[str, Any]) -> list[Any]:
    """The content's blocks; one alone is taken as a list of it."""
    content = result.get("content")
    if content is None:
        return []
    return content if isinstance(content, list) else [content]


def _carried(block: Any) -> Any:
    """A text as such, any other block as the server wrote it, large binary data told by its size alone."""
    if not isinstance(block, dict):
        return block
    if block.get("type") == "text" and isinstance(block.get("text"), str):
        return block["text"]
    kept: dict[str, Any] = {}
    for name, value in block.items():
        if name in BINARY and isinstance(value, str):
            kept["size"] = _bytes_of(value)
            if len(value) <= MAX_BINARY:
                kept[name] = value
            else:
                kept["omitted"] = f"{name}: more than {MAX_BINARY:,} characters of base64"
        elif name == "resource":
            kept[name] = _carried(value)
        elif name != "_meta":
            kept[name] = value
    return kept


def _named(block: Any) -> str:
    """A block in few words: its text, else type, address, name and size."""
    if not isinstance(block, dict):
        return block if isinstance(block, str) else write_json(block).decode()
    inner = block["resource"] if isinstance(block.get("resource"), dict) else block
    if isinstance(inner.get("text"), str):
        return " ".join(filter(None, [_word(inner, "uri"), inner["text"]]))
    words = [_word(inner, name) for name in ("title", "name", "uri", "description", "mimeType")]
    words += [f"{_bytes_of(inner[name])} bytes" for name in BINARY if isinstance(inner.get(name), str)]
    return f"[{', '.join(filter(None, [_word(block, 'type'), *words]))}]"


def _word(block: dict[str, Any], name: str) -> str:
    value = block.get(name)
    return value if isinstance(value, str) else ""


def _bytes_of(base64: str) -> int:
    """How many bytes the base64 stands for."""
    return len(base64.rstrip("=\n")) * 3 // 4


def _repeats(text: str, structured: Any) -> bool:
    """Whether the text says once more what the structured content has, as servers do for older clients."""
    result = structured.get("result") if isinstance(structured, dict) and len(structured) == 1 else None
    known = [structured, result, *(result if isinstance(result, list) else ())]
    try:
        value: Any = read_json(text)
    except ValueError:
        value = text
    return value in known or text in known
