"""What a provider said, in one piece or in a stream of chunks: text, tool calls, usage."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from agents.function_calls import FunctionCall


@dataclass
class Said:
    """An answer as it was received; no tokens = the provider told no usage."""

    text: str = ""
    calls: list[FunctionCall] = field(default_factory=list)
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0

    def count(self, usage: Any) -> None:
        """Take the numbers of a usage block."""
        self.prompt_tokens = getattr(usage, "prompt_tokens", 0) or 0
        self.completion_tokens = getattr(usage, "completion_tokens", 0) or 0
        self.cached_tokens = getattr(getattr(usage, "prompt_tokens_details", None), "cached_tokens", None) or 0


def told(response: Any) -> Said | None:
    """A whole answer; None when it has no choice."""
    if not response.choices:
        return None
    choice = response.choices[0]
    said = Said(choice.message.content or "", finish_reason=choice.finish_reason or "stop")
    said.calls = [
        FunctionCall(call.id or f"call_{number}", call.function.name or "", call.function.arguments or "{}")
        for number, call in enumerate(choice.message.tool_calls or [])
    ]
    said.count(getattr(response, "usage", None))
    return said


async def spoken(chunks: AsyncIterator[Any], on_text: Callable[[str], None]) -> Said | None:
    """The answer that these chunks make; each piece of its text is handed on as it comes."""
    said, parts, calls = Said(finish_reason=""), [], _Calls()
    async for chunk in chunks:
        if getattr(chunk, "usage", None):
            said.count(chunk.usage)
        for choice in chunk.choices[:1]:
            said.finish_reason = choice.finish_reason or said.finish_reason
            if text := getattr(choice.delta, "content", None):
                parts.append(text)
                on_text(text)
            calls.take(getattr(choice.delta, "tool_calls", None) or ())
    said.text, said.calls = "".join(parts), calls.made()
    if not said.text and not said.calls and not said.finish_reason:
        return None
    said.finish_reason = said.finish_reason or "stop"
    return said


class _Calls:
    """Tool calls, which come in pieces: the id and the name first, then the arguments bit by bit."""

    def __init__(self) -> None:
        self.pieces: dict[int, list[str]] = {}

    def take(self, deltas: Any) -> None:
        """More pieces."""
        for delta in deltas:
            index = delta.index if isinstance(delta.index, int) else len(self.pieces)
            id, name, arguments = self.pieces.setdefault(index, ["", "", ""])
            function = delta.function
            self.pieces[index] = [
                delta.id or id,
                name + (getattr(function, "name", None) or ""),
                arguments + (getattr(function, "arguments", None) or ""),
            ]

    def made(self) -> list[FunctionCall]:
        """The whole calls in their order."""
        return [
            FunctionCall(id or f"call_{index}", name, arguments or "{}")
            for index, (id, name, arguments) in sorted(self.pieces.items())
        ]
