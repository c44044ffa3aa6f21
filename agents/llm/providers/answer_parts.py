"""The parts of what a provider sends: texts, pieces of tool calls, finish reasons, usage, errors.

They are read in the OpenAI form, and in the forms that providers make of it: content as a list of parts, arguments as
an object, names of their own for the ends of answers.
"""

from dataclasses import dataclass, field

from agents.llm.function_calls import FunctionCall, parse_arguments
from config.errors import Invalid
from config.values.foreign_json import clean_text, write_json
from config.values.json_types import Json, JsonObject
from config.values.numbers import whole_number

TEXT_PARTS = frozenset({"text", "output_text", "refusal"})
# What other providers call the ends that the OpenAI form has a word for.
FINISH_REASONS = {
    **dict.fromkeys(("end_turn", "eos", "eos_token", "stop_sequence", "complete", "completed"), "stop"),
    **dict.fromkeys(("max_tokens", "max_output_tokens", "max_length", "model_length"), "length"),
    **dict.fromkeys(("tool_use", "tool_call", "function_call"), "tool_calls"),
    **dict.fromkeys(("safety", "refusal", "content_filtered", "recitation", "blocklist"), "content_filter"),
}


class Unreadable(Exception):
    """The provider sent no answer; the message has the reason."""


class ProviderError(Exception):
    """The provider sent an error in the place of an answer, under HTTP 200."""

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.message, self.status = message, status


def text_of(content: Json) -> str:
    """The text of a message's content: of a list of parts the texts of its text parts, without the model's thoughts.

    Raises Unreadable for anything else.
    """
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise Unreadable(f"its content is {kind_of(content)} and no text")
    return "".join(_part_text(part) for part in content)


def _part_text(part: Json) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict) or part.get("type", "text") not in TEXT_PARTS:
        return ""
    text = part.get("text", part.get("refusal"))
    if isinstance(text, dict):
        text = text.get("value")
    return text if isinstance(text, str) else ""


@dataclass(frozen=True)
class CallPiece:
    """A part of a tool call."""

    id: str
    index: int | None
    name: str
    arguments: str

    @classmethod
    def of(cls, piece: JsonObject) -> "CallPiece":
        function = json_object(piece.get("function") or {}, "function")
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
class CallParts:
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


def provider_error(error: Json) -> ProviderError:
    """The error that a body or a chunk holds, with its HTTP status where it names one."""
    if not isinstance(error, dict):
        return ProviderError(str(error), None)
    code = error.get("code", error.get("status"))
    if isinstance(code, str):
        code = whole_number(code)
    status = code if isinstance(code, int) and 400 <= code < 600 else None
    message = error.get("message")
    return ProviderError(message if isinstance(message, str) else write_json(error).decode(), status)


def finish_reason(reason: Json) -> str:
    """The reason in the OpenAI form's words; ProviderError for the provider's own failure."""
    word = str(reason).lower()
    if word == "error":
        raise ProviderError("it ended the answer with an error", None)
    return FINISH_REASONS.get(word, word)


def token_counts(usage: JsonObject) -> tuple[int, int, int]:
    """(of the prompt, of the answer, of the prompt from a cache)."""
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    prompt, completion, cached = (
        int(number) if isinstance(number, int | float) and 0 <= number < 1e12 else 0
        for number in (usage.get("prompt_tokens"), usage.get("completion_tokens"), cached)
    )
    return prompt, completion, cached


def json_object(value: Json, name: str) -> JsonObject:
    if not isinstance(value, dict):
        raise Unreadable(f"its {name} is {kind_of(value)} and no object")
    return value


def json_objects(value: Json, name: str) -> list[JsonObject]:
    """The items of a list of objects; none for null."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unreadable(f"its {name} is {kind_of(value)} and no list")
    return [json_object(item, f"entry in {name}") for item in value if item is not None]


def kind_of(value: Json) -> str:
    """What a JSON value is, with its article."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
