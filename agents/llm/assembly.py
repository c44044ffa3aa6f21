"""Assembles what a provider sends, whole or in the chunks of a stream, into an answer: text, tool calls, usage.

It takes the JSON of the OpenAI form, and what providers make of it: calls that share an index or have none, names that
are repeated, content as a list of parts, chunks with nothing but usage.
"""

from dataclasses import dataclass, field
from typing import Any

from agents.llm.function_calls import FunctionCall, parse_arguments
from config.errors import Invalid
from config.values.foreign_json import clean_text, write_json
from config.values.numbers import whole_number
from config.values.text_decoder import Joiner

TEXT_PARTS = frozenset({"text", "output_text", "refusal"})
# What other providers call the ends that the OpenAI form has a word for.
FINISH_REASONS = {
    **dict.fromkeys(("end_turn", "eos", "eos_token", "stop_sequence", "complete", "completed"), "stop"),
    **dict.fromkeys(("max_tokens", "max_output_tokens", "max_length", "model_length"), "length"),
    **dict.fromkeys(("tool_use", "tool_call", "function_call"), "tool_calls"),
    **dict.fromkeys(("safety", "refusal", "content_filtered", "recitation", "blocklist"), "content_filter"),
}
CUTS_CALLS = frozenset({"length", "content_filter"})  # ends at which the last arguments may lack a part


class Unreadable(Exception):
    """The provider sent no answer; the message has the reason."""


class ProviderError(Exception):
    """The provider sent an error in the place of an answer, under HTTP 200."""

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.message, self.status = message, status


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
        self.calls: list[_Call] = []
        self.finish_reason = ""
        self.usage: dict[str, Any] = {}

    def take(self, chunk: Any) -> str:
        """The text that this chunk adds, in whole characters.

        Raises Unreadable, and ProviderError for a chunk that holds one.
        """
        if not isinstance(chunk, dict):
            raise Unreadable(f"a part of it is {_kind(chunk)} and no object")
        if chunk.get("error"):
            raise provider_error(chunk["error"])
        if isinstance(chunk.get("usage"), dict):
            self.usage = chunk["usage"]
        text = ""
        for choice in _objects(chunk.get("choices"), "choices")[:1]:
            if choice.get("finish_reason"):
                self.finish_reason = _finish_reason(choice["finish_reason"])
            for name in ("delta", "message"):
                if choice.get(name) is not None:
                    text += self._take_delta(_object(choice[name], name), is_whole=name == "message")
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
        return Answer(text, calls, reason or ("tool_calls" if calls else "stop"), *_tokens(self.usage))

    def _take_delta(self, delta: dict[str, Any], *, is_whole: bool) -> str:
        pieces = _objects(delta.get("tool_calls"), "tool_calls")
        if legacy := delta.get("function_call"):
            pieces = [*pieces, {"function": legacy}]
        for piece in pieces:
            self._take_piece(_Piece.of(piece), is_whole=is_whole)
        return text_of(delta.get("content")) or text_of(delta.get("refusal"))

    def _take_piece(self, piece: "_Piece", *, is_whole: bool) -> None:
        """Add a piece to the call that it belongs to, else begin a call with it."""
        call = None if is_whole else self._call_of(piece)
        if call is None:
            self.calls.append(call := _Call(piece.id, piece.index))
        call.id, call.name = call.id or piece.id, call.name or piece.name
        call.arguments.append(piece.arguments)

    def _call_of(self, piece: "_Piece") -> "_Call | None":
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


def whole_answer(body: Any) -> Answer:
    """The answer that a provider sent in one piece; Unreadable or ProviderError when it is none."""
    assembler = Assembler()
    assembler.take(body)
    return assembler.finish(is_complete=True)


def text_of(content: Any) -> str:
    """The text of a message's content: of a list of parts the texts of its text parts, without the model's thoughts.

    Raises Unreadable for anything else.
    """
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise Unreadable(f"its content is {_kind(content)} and no text")
    return "".join(_part_text(part) for part in content)


def _part_text(part: Any) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict) or part.get("type", "text") not in TEXT_PARTS:
        return ""
    text = part.get("text", part.get("refusal"))
    if isinstance(text, dict):
        text = text.get("value")
    return text if isinstance(text, str) else ""


@dataclass(frozen=True)
class _Piece:
    """A part of a tool call."""

    id: str
    index: int | None
    name: str
    arguments: str

    @classmethod
    def of(cls, piece: dict[str, Any]) -> "_Piece":
        function = _object(piece.get("function") or {}, "function")
        id, index, name = piece.get("id"), piece.get("index"), function.get("name")
        arguments = function.get("arguments")
        if arguments is not None and not isinstance(arguments, str):  # an object, as some write it
            arguments = write_json(arguments).decode()
        return cls(
            id if isinstance(id, str) else "" if id is None else str(id),
            index if isinstance(index, int) else None,
            name if isinstance(name, str) else "",
            arguments or "",
        )


@dataclass
class _Call:
    """A tool call of which pieces have come."""

    id: str
    index: int | None
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    def may_be(self, name: str) -> bool:
        """Whether the call can have this name; an empty one fits any."""
        return not name or not self.name or name == self.name

    @property
    def is_empty(self) -> bool:
        """No arguments have come."""
        return not any(self.arguments)

    @property
    def is_complete(self) -> bool:
        """The arguments are a JSON object, so that nothing can follow."""
        text = "".join(self.arguments).strip()
        try:
            return text.endswith("}") and parse_arguments(text) is not None
        except Invalid:
            return False

    def function_call(self, number: int, is_cut: bool) -> FunctionCall:
        """The call as it stands at the end of the answer."""
        return FunctionCall(
            clean_text(self.id) or f"call_{number}",
            clean_text(self.name),
            clean_text("".join(self.arguments)) or "{}",
            is_cut,
        )


def provider_error(error: Any) -> ProviderError:
    """The error that a body or a chunk holds, with its HTTP status where it names one."""
    if not isinstance(error, dict):
        return ProviderError(str(error), None)
    code = error.get("code", error.get("status"))
    if isinstance(code, str):
        code = whole_number(code)
    status = code if isinstance(code, int) and 400 <= code < 600 else None
    message = error.get("message")
    return ProviderError(message if isinstance(message, str) else write_json(error).decode(), status)


def _finish_reason(reason: Any) -> str:
    """The reason in the OpenAI form's words; ProviderError for the provider's own failure."""
    word = str(reason).lower()
    if word == "error":
        raise ProviderError("it ended the answer with an error", None)
    return FINISH_REASONS.get(word, word)


def _tokens(usage: dict[str, Any]) -> tuple[int, int, int]:
    """(of the prompt, of the answer, of the prompt from a cache)."""
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    prompt, completion, cached = (
        int(number) if isinstance(number, int | float) and 0 <= number < 1e12 else 0
        for number in (usage.get("prompt_tokens"), usage.get("completion_tokens"), cached)
    )
    return prompt, completion, cached


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(f"its {name} is {_kind(value)} and no object")
    return value


def _objects(value: Any, name: str) -> list[dict[str, Any]]:
    """The items of a list of objects; none for null."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unreadable(f"its {name} is {_kind(value)} and no list")
    return [_object(item, f"entry in {name}") for item in value if item is not None]


def _kind(value: Any) -> str:
    """What a JSON value is, with its article."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
