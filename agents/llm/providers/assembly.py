"""Assembles what a provider sends, whole or in the chunks of a stream, into an answer: text, tool calls, usage.

It takes the JSON of the OpenAI form, and what providers make of it: calls that share an index or have none, names that
are repeated, chunks with nothing but usage.
"""

from dataclasses import dataclass, field

from agents.llm.function_calls import FunctionCall
from agents.llm.providers.answer_parts import (
    CallParts,
    CallPiece,
    Unreadable,
    finish_reason,
    json_object,
    json_objects,
    kind_of,
    provider_error,
    text_of,
    token_counts,
)
from config.values.json_types import Json, JsonObject
from config.values.text_decoder import Joiner

CUTS_CALLS = frozenset({"length", "content_filter"})  # ends at which the last arguments may lack a part


@dataclass
class Answer:
    """An answer as it was received; no prompt tokens = the provider sent no usage."""

    text: str = ""
    calls: list[FunctionCall] = field(default_factory=list)
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


class Assembler:
    """Takes the chunks of one answer in their order; `finish` gives the answer."""

    def __init__(self) -> None:
        self.joiner, self.parts = Joiner(), list[str]()
        self.calls: list[CallParts] = []
        self.finish_reason = ""
        self.usage: JsonObject = {}

    def take(self, chunk: Json) -> str:
        """The text that this chunk adds, in whole characters.

        Raises Unreadable, and ProviderError for a chunk that holds one.
        """
        if not isinstance(chunk, dict):
            raise Unreadable(f"a part of it is {kind_of(chunk)} and no object")
        if chunk.get("error"):
            raise provider_error(chunk["error"])
        if isinstance(chunk.get("usage"), dict):
            self.usage = chunk["usage"]
        text = ""
        for choice in json_objects(chunk.get("choices"), "choices")[:1]:
            if choice.get("finish_reason"):
                self.finish_reason = finish_reason(choice["finish_reason"])
            for name in ("delta", "message"):
                if choice.get(name) is not None:
                    text += self._take_delta(json_object(choice[name], name), is_whole=name == "message")
        return self._add(self.joiner.take(text))

    def finish(self, *, is_complete: bool = False) -> Answer:
        """The answer; `is_complete` says that an end was marked in another way than by a finish reason.

        Raises Unreadable when neither was there: the answer was cut on its way, whatever its HTTP status is.
        """
        if not self.finish_reason and not is_complete:
            raise Unreadable("it broke off before its end")
        self._add(self.joiner.rest())
        text, reason = "".join(self.parts), self.finish_reason
        if not text and not self.calls and not reason:
            raise Unreadable("it has no choice")
        calls = [call.function_call(number, reason in CUTS_CALLS) for number, call in enumerate(self.calls)]
        return Answer(text, calls, reason or ("tool_calls" if calls else "stop"), *token_counts(self.usage))

    def _take_delta(self, delta: JsonObject, *, is_whole: bool) -> str:
        pieces = json_objects(delta.get("tool_calls"), "tool_calls")
        if legacy := delta.get("function_call"):
            pieces = [*pieces, {"function": legacy}]
        for piece in pieces:
            self._take_piece(CallPiece.of(piece), is_whole=is_whole)
        return text_of(delta.get("content")) or text_of(delta.get("refusal"))

    def _take_piece(self, piece: CallPiece, *, is_whole: bool) -> None:
        """Add a piece to the call that it belongs to, else begin a call with it."""
        call = None if is_whole else self._call_of(piece)
        if call is None:
            self.calls.append(call := CallParts(piece.id, piece.index))
        call.id, call.name = call.id or piece.id, call.name or piece.name
        call.arguments.append(piece.arguments)

    def _call_of(self, piece: CallPiece) -> CallParts | None:
        """The call that the piece goes on with: that of its id, without one the last of its index; None begins one."""
        rivals = [call for call in self.calls if call.index is None or piece.index in (None, call.index)]
        same = [call for call in rivals if piece.id and call.id == piece.id]
        if same:
            return same[-1] if same[-1].may_be(piece.name) else None
        if not rivals or not rivals[-1].may_be(piece.name):
            return None
        last = rivals[-1]
        if not piece.name:  # some servers write another id into each chunk, but none a call without a name
            return last
        goes_on = last.is_empty and not last.id if piece.id else not (piece.arguments.strip() and last.is_complete)
        return last if goes_on else None

    def _add(self, text: str) -> str:
        if text:
            self.parts.append(text)
        return text


def whole_answer(body: Json) -> Answer:
    """The answer that a provider sent in one piece; Unreadable or ProviderError when it is none."""
    assembler = Assembler()
    assembler.take(body)
    return assembler.finish(is_complete=True)
