"""What passes between the agent loop and a chat model, whoever serves it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from agents.llm.function_calls import FunctionCall

ANSWER_TOKENS = 4096  # reserved for an answer whose length nobody limited


@dataclass(frozen=True)
class ModelProfile:
    """Which model an agent thinks with; empty names mean the platform's default."""

    provider: str = ""
    model: str = ""
    temperature: float | None = None
    max_tokens: int | None = None
    timeout_s: float | None = None
    fallbacks: tuple["ModelProfile", ...] = ()  # asked in this order when the ones before fail


@dataclass(frozen=True)
class ModelRequest:
    """One question to a model. `tools` are functions in the OpenAI form; `answer_schema` is a JSON Schema that the
    answer must fit; `on_text` is told each piece of the answer as the model says it.
    """

    agent_id: str
    profile: ModelProfile
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] = field(default_factory=list)
    timeout_s: float = 120.0
    answer_schema: dict[str, Any] | None = None
    on_text: Callable[[str], None] | None = None


@dataclass(frozen=True)
class ModelReply:
    """The model's answer. `cost_micro` is None, and `priced` False, when nobody knows the model's price."""

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
    estimated: bool = False  # the provider told no usage: the tokens are counted by us, roughly


class ChatModel(Protocol):
    """Something that answers model requests: LiteLLM's providers, or the offline model."""

    @property
    def provider(self) -> str:
        """Who serves it, as events tell."""

    @property
    def model(self) -> str:
        """The model's name."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The answer; ModelUnavailable when another try may help, else AgentExecutionError."""

    async def estimate(self, request: ModelRequest) -> int:
        """The most that the call should cost, in micro-USD; reserved before it is made."""

    async def longest(self, request: ModelRequest) -> int:
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
