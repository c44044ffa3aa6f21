"""The port of chat models: profile, request, reply, and the protocol that each implementation fulfils."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from agents.llm.function_calls import FunctionCall
from config.values.json_types import JsonObject

ANSWER_TOKENS = 4096  # reserved for an answer without a limit of its own


@dataclass(frozen=True)
class ModelProfile:
    """The model of an agent; empty names mean the platform's default."""

    provider: str = ""
    model: str = ""
    temperature: float | None = None
    max_tokens: int | None = None
    timeout_s: float | None = None
    fallbacks: tuple["ModelProfile", ...] = ()  # called in this order when the ones before fail


@dataclass(frozen=True)
class ModelRequest:
    """One question to a model. `tools` are functions in the OpenAI form; `answer_schema` is a JSON Schema that the
    answer must fit; `on_text` gets each piece of the answer as the model writes it.
    """

    agent_id: str
    profile: ModelProfile
    messages: list[JsonObject]
    tools: list[JsonObject] = field(default_factory=list)
    timeout_s: float = 120.0
    answer_schema: JsonObject | None = None
    on_text: Callable[[str], None] | None = None


@dataclass(frozen=True)
class ModelReply:
    """The model's answer. `cost_micro` is None, and `priced` False, when the model is in no price list."""

    text: str
    tool_calls: list[FunctionCall]
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    cost_micro: int | None
    priced: bool
    model: str
    provider: str
    latency_ms: int
    estimated: bool = False  # the provider sent no usage: the tokens are counted by us, roughly

    @classmethod
    def of(cls, output: JsonObject) -> "ModelReply":
        """The reply of a recorded step, whose output this is."""
        return cls(**output | {"tool_calls": [FunctionCall(**call) for call in output["tool_calls"]]})


class ChatModel(Protocol):
    """Something that answers model requests: LiteLLM's providers, or the offline model."""

    @property
    def provider(self) -> str:
        """Who serves it, as events name it."""

    @property
    def model(self) -> str:
        """The model's name, as events have it."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The answer; ModelUnavailable when another try may help, else AgentExecutionError."""

    async def estimate(self, request: ModelRequest) -> int:
        """The most that the call should cost, in micro-USD; reserved before it is made."""

    async def max_answer_tokens(self, request: ModelRequest) -> int:
        """The tokens of an answer that the estimate covers."""

    async def window(self) -> int:
        """How many tokens a prompt may have."""


def rough_tokens(request: ModelRequest) -> int:
    """About how many tokens the request has, rather too many: one per three characters, four per message."""
    text = sum(
        len(str(message.get("content") or "")) + len(str(message.get("tool_calls") or ""))
        for message in request.messages
    )
    return (text + len(str(request.tools or ""))) // 3 + 4 * len(request.messages) + 8
