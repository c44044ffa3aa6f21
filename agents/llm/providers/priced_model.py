"""Prices of models by LiteLLM's list, and what all models with a price share: estimate, window, timeout, reply."""

import asyncio
import math
import time
from dataclasses import dataclass
from functools import lru_cache

from agents.errors import ModelUnavailable, ReserveUsedUp
from agents.llm.chat_model import ANSWER_TOKENS, ModelReply, ModelRequest, rough_tokens
from agents.llm.providers.assembly import Answer
from agents.llm.providers.failures import failure_of
from agents.llm.providers.litellm_library import litellm_in_thread, load_litellm

WINDOW_TOKENS = 32_000  # of a model that is in no list


@dataclass(frozen=True)
class Price:
    """Micro-USD per token, and the tokens that a prompt and an answer may have."""

    prompt: float
    completion: float
    cached: float
    answer_most: int = ANSWER_TOKENS
    window: int = WINDOW_TOKENS

    def cost(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> int:
        """The cost in micro-USD, rounded up."""
        fresh = max(prompt_tokens - cached_tokens, 0)
        exact = (
            fresh * self.prompt + min(cached_tokens, prompt_tokens) * self.cached + completion_tokens * self.completion
        )
        return math.ceil(exact - 1e-6)


# What a run with limits is charged for a model that is in no price list: dear, so that the limit holds.
UNKNOWN_PRICE = Price(prompt=10.0, completion=30.0, cached=10.0)


@lru_cache(maxsize=512)
def price(provider: str, model: str) -> Price | None:
    """The model's price in LiteLLM's local list, by its plain name; None when it is not there."""
    prices = load_litellm().model_cost
    for name in (f"{provider}/{model}", model, model.rpartition("/")[2]):
        entry = prices.get(name) or {}
        into, out = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
        if isinstance(into, int | float) and isinstance(out, int | float):
            cached = entry.get("cache_read_input_token_cost")
            max_tokens = entry.get("max_output_tokens")
            window = entry.get("max_input_tokens")
            return Price(
                into * 1e6,
                out * 1e6,
                (cached if isinstance(cached, int | float) else into) * 1e6,
                min(max_tokens, ANSWER_TOKENS) if isinstance(max_tokens, int) and max_tokens > 0 else ANSWER_TOKENS,
                window if isinstance(window, int) and window > 0 else WINDOW_TOKENS,
            )
    return None


@dataclass(frozen=True)
class PricedModel:
    """A model with what LiteLLM's list knows about its name: price, window, length of answers."""

    provider: str
    model: str

    async def estimate(self, request: ModelRequest) -> int:
        """Prompt and longest answer at the list price, or at a dear one when there is none."""
        model_price = await self._price()
        return model_price.cost(rough_tokens(request), await self.max_answer_tokens(request))

    async def max_answer_tokens(self, request: ModelRequest) -> int:
        """The limit of the agent's profile, else that of the model's answers, at most ANSWER_TOKENS."""
        return request.profile.max_tokens or (await self._price()).answer_most

    async def _price(self) -> Price:
        await litellm_in_thread()
        return price(self.provider, self.model) or UNKNOWN_PRICE

    async def window(self) -> int:
        """The tokens that a prompt of this model may have, by the list; a cautious number when it is not there."""
        await litellm_in_thread()
        model_price = price(self.provider, self.model)
        return model_price.window if model_price else WINDOW_TOKENS

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The model's answer; its text is passed to `request.on_text`, if there is one, as it comes.

        Raises ModelUnavailable when another try may help, else AgentExecutionError; whatever went wrong.
        """
        start = time.perf_counter()
        await litellm_in_thread()
        try:
            async with asyncio.timeout(request.timeout_s):
                answer = await self._answer(request)
        except ReserveUsedUp:
            raise
        except TimeoutError:
            raise ModelUnavailable(f"The model {self.model} did not answer within {request.timeout_s:g} s.") from None
        except Exception as fault:
            raise failure_of(fault, self.model, self.provider) from None
        return self._reply(request, answer, round((time.perf_counter() - start) * 1000))

    async def _answer(self, request: ModelRequest) -> Answer:
        """The answer, by the implementation's own transport."""
        raise NotImplementedError

    def _reply(self, request: ModelRequest, answer: Answer, latency_ms: int) -> ModelReply:
        prompt = answer.prompt_tokens or rough_tokens(request)
        completion = answer.completion_tokens or len(answer.text) // 3 + sum(
            len(call.arguments) // 3 + 8 for call in answer.calls
        )
        model_price = price(self.provider, self.model)
        return ModelReply(
            text=answer.text,
            tool_calls=answer.calls,
            finish_reason=answer.finish_reason,
            prompt_tokens=prompt,
            completion_tokens=completion,
            cost_micro=model_price.cost(prompt, completion, answer.cached_tokens) if model_price else None,
            priced=model_price is not None,
            model=self.model,
            provider=self.provider,
            latency_ms=latency_ms,
            estimated=not answer.prompt_tokens,
        )
