"""Replies that a test gives to the scripted model server (ModelServer.play), sent to the letter."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass
class Reply:
    """One answer to the letter; `breaks`: the connection ends in its middle."""

    body: bytes
    kind: str = "application/json"
    status: int = 200
    breaks: bool = False


def message(content: Any, finish: str | None = "stop", **more: Any) -> Reply:
    """A whole answer whose message has this content."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content} | more, "finish_reason": finish}
    return Reply(json.dumps({"id": "x", "object": "chat.completion", "created": 1, "choices": [choice]}).encode())


def stream(*deltas: Any, finish: str | None = "stop", done: bool = True, breaks: bool = False) -> Reply:
    """A stream of these deltas, a text being one of content; without `finish` and `done` it ends in its middle."""
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}
    made = [{"content": delta} if isinstance(delta, str) else delta for delta in deltas]
    choices: list[dict[str, Any]] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in made]
    choices += [{"index": 0, "delta": {}, "finish_reason": finish}] if finish else []
    lines = [json.dumps(head | {"choices": [choice]}) for choice in choices] + (["[DONE]"] if done else [])
    return Reply("".join(f"data: {line}\n\n" for line in lines).encode(), "text/event-stream", breaks=breaks)
