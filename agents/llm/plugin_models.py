"""Model providers that plug-ins bring: `@model_provider("acme")` serves the models acme/model-1, acme/model-2, …"""

import time
from collections.abc import Awaitable, Callable

from agents.llm.chat_model import ChatModel, ModelReply, ModelRequest, rough_tokens
from config.plugins.registries import registry

# (the model's name without its prefix, the provider key of the run's user or tenant) → what answers
ModelFactory = Callable[[str, str | None], ChatModel]
PROVIDERS: dict[str, ModelFactory] = registry("model providers")
DEFAULT_WINDOW = 128_000


def model_provider(prefix: str) -> Callable[[ModelFactory], ModelFactory]:
    """Register the models whose names begin with this prefix and a slash."""

    def register(factory: ModelFactory) -> ModelFactory:
        PROVIDERS[prefix] = factory
        return factory

    return register


def split_name(provider: str, model: str) -> tuple[str, str]:
    """(provider, model), the provider taken from the model's prefix where a plug-in serves that."""
    prefix, slash, name = model.partition("/")
    return (prefix, name) if slash and provider in ("", prefix) and prefix in PROVIDERS else (provider, model)


class FunctionModel:
    """A chat model made of one async function from request to text, for a provider without prices and tool calls.

    `window`: how many tokens a prompt may have. Tokens are estimated, a call costs nothing.
    """

    def __init__(
        self,
        provider: str,
        model: str,
        answer: Callable[[ModelRequest], Awaitable[str]],
        window: int = DEFAULT_WINDOW,
    ) -> None:
        self.provider, self.model = provider, model
        self._answer, self._window = answer, window

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The function's text; raise ModelUnavailable in it where another try may help."""
        started = time.monotonic()
        text = await self._answer(request)
        if request.on_text and text:
            request.on_text(text)
        return ModelReply(
            text=text,
            tool_calls=[],
            finish_reason="stop",
            prompt_tokens=rough_tokens(request),
            completion_tokens=len(text) // 3 + 1,
            cost_micro=0,
            priced=True,
            model=self.model,
            provider=self.provider,
            latency_ms=round((time.monotonic() - started) * 1000),
            estimated=True,
        )

    async def estimate(self, request: ModelRequest) -> int:
        """0 micro-USD."""
        return 0

    async def max_answer_tokens(self, request: ModelRequest) -> int:
        """The window: an answer costs nothing, whatever its length."""
        return self._window

    async def window(self) -> int:
        """How many tokens a prompt may have."""
        return self._window
