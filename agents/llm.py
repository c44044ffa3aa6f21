"""Model calls through LiteLLM. Importing it takes seconds and 170 MB: only workers do, once, never at module level."""

import asyncio
import logging
import math
import os
import re
import socket
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import aiohttp

from agents.chat import ANSWER_TOKENS, ModelProfile, ModelReply, ModelRequest, rough_tokens
from agents.errors import AgentExecutionError, ModelUnavailable
from agents.excerpts import summary
from agents.speech import Said, spoken, told

ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # the price list in the package; else it is fetched while we wait
    # The transport of the other providers, without the openai package's own layers: 1.7 instead of 3 ms of CPU a call.
    "EXPERIMENTAL_OPENAI_BASE_LLM_HTTP_HANDLER": "True",
    "AIOHTTP_CONNECTOR_LIMIT": "100000",  # the engine's slots are the limit; LiteLLM's 500 would make calls queue
    "AIOHTTP_CONNECTOR_LIMIT_PER_HOST": "100000",
}
# Retries belong to the engine. The rest spares work: call logging, and a look for MCP tools in each list of tools.
EVERY_CALL = {"num_retries": 0, "max_retries": 0, "no-log": True, "_skip_mcp_handler": True, "drop_params": True}
EMBEDDING_S = 60.0
WORTH_ANOTHER_TRY = frozenset({408, 409, 425, 429})
WINDOW_TOKENS = 32_000  # of a model that is in no list
NOISE = re.compile(r"^(?:litellm\.)?\w+(?:Error|Exception|Timeout): (?:\w+(?:Error|Exception): )*(?:\w+Exception - )?")


OBJECTS = re.compile(r" ssl:<[^>]*>")


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


@lru_cache(maxsize=1)
def load() -> Any:
    """The litellm module, imported and set up on first use; takes seconds then."""
    os.environ.update(ENVIRONMENT)
    import litellm

    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.disable_hf_tokenizer_download = True
    logging.getLogger("LiteLLM").setLevel(logging.ERROR)
    return litellm


async def _loaded() -> Any:
    return load() if load.cache_info().currsize else await asyncio.to_thread(load)


def preload() -> None:
    """Import LiteLLM and all that its first call would import: one call to a port of ours on which nobody answers."""
    load()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        request = ModelRequest("", ModelProfile(), [{"role": "user", "content": "hello"}], [_WARM_TOOL])
        try:
            asyncio.run(LiteLLMModel("openai", "gpt-4o-mini", "openai/gpt-4o-mini", "-", url).complete(request))
        except ModelUnavailable:
            return


_WARM_TOOL = {"type": "function", "function": {"name": "warm", "parameters": {"type": "object", "properties": {}}}}


async def close() -> None:
    """End the connections that LiteLLM keeps; a worker's last act."""
    if load.cache_info().currsize:
        await load().close_litellm_async_clients()


@lru_cache(maxsize=512)
def price(provider: str, model: str) -> Price | None:
    """The model's price in LiteLLM's local list, by its plain name; None when it is not there."""
    listed = load().model_cost
    for name in (f"{provider}/{model}", model, model.rpartition("/")[2]):
        entry = listed.get(name) or {}
        into, out = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
        if isinstance(into, int | float) and isinstance(out, int | float):
            cached = entry.get("cache_read_input_token_cost")
            most = entry.get("max_output_tokens")
            window = entry.get("max_input_tokens")
            return Price(
                into * 1e6,
                out * 1e6,
                (cached if isinstance(cached, int | float) else into) * 1e6,
                min(most, ANSWER_TOKENS) if isinstance(most, int) and most > 0 else ANSWER_TOKENS,
                window if isinstance(window, int) and window > 0 else WINDOW_TOKENS,
            )
    return None


@dataclass(frozen=True)
class LiteLLMModel:
    """One model behind LiteLLM; key and address are always given, so that none is taken from the environment."""

    provider: str
    model: str
    route: str  # LiteLLM's name of it: provider/model
    api_key: str
    api_base: str | None = None

    async def estimate(self, request: ModelRequest) -> int:
        """Prompt and longest answer at the list price, or at a dear one when there is none."""
        known = await self._price()
        return known.cost(rough_tokens(request), await self.longest(request))

    async def longest(self, request: ModelRequest) -> int:
        """What the agent's profile allows, else what the model can say at once, at most ANSWER_TOKENS."""
        return request.profile.max_tokens or (await self._price()).answer_most

    async def _price(self) -> Price:
        await _loaded()
        return price(self.provider, self.model) or UNKNOWN_PRICE

    async def window(self) -> int:
        """The tokens that a prompt of this model may have, by the list; a cautious number when it is not there."""
        await _loaded()
        known = price(self.provider, self.model)
        return known.window if known else WINDOW_TOKENS

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The model's answer; piece by piece to `request.on_text` when somebody listens."""
        litellm = await _loaded()
        import openai

        began = time.perf_counter()
        try:
            async with asyncio.timeout(request.timeout_s):
                answered = await litellm.acompletion(**self._parameters(request))
                said = await spoken(answered, request.on_text) if request.on_text else told(answered)
        except TimeoutError:
            raise ModelUnavailable(f"The model {self.model} did not answer within {request.timeout_s:g} s.") from None
        except openai.OpenAIError as fault:
            raise self.failure(fault) from None
        except aiohttp.ClientError as fault:  # the connection broke in the middle of a stream
            raise ModelUnavailable(f"The model {self.model} broke off: {type(fault).__name__}.") from None
        if said is None:
            raise ModelUnavailable(f"The model {self.model} answered without a choice.")
        return self._reply(request, said, round((time.perf_counter() - began) * 1000))

    def _parameters(self, request: ModelRequest) -> dict[str, Any]:
        profile = request.profile
        given: dict[str, Any] = {
            "temperature": profile.temperature,
            "max_tokens": profile.max_tokens,
            "tools": request.tools or None,
            "response_format": _format(request),
        }
        if request.on_text:
            given |= {"stream": True, "stream_options": {"include_usage": True}}
        if self.api_base:
            # A gateway speaks chat completions, whatever LiteLLM knows about the model behind it.
            given |= {"api_base": self.api_base, "_skip_responses_api_bridge": True}
        return {
            "model": self.route,
            "messages": request.messages,
            "api_key": self.api_key,
            "timeout": request.timeout_s,
            **{name: value for name, value in given.items() if value is not None},
            **EVERY_CALL,
        }

    def failure(self, fault: Exception) -> Exception:
        """What to raise for LiteLLM's error: worth another try, or not."""
        from openai import APIConnectionError

        status = getattr(fault, "status_code", None)
        text = summary(OBJECTS.sub("", NOISE.sub("", str(fault))), 500)
        if (
            isinstance(fault, APIConnectionError)
            or not isinstance(status, int)
            or status >= 500
            or status in WORTH_ANOTHER_TRY
        ):
            return ModelUnavailable(f"The model {self.model} is not available: {text}", _retry_after_s(fault))
        return AgentExecutionError(
            f"The model {self.model} refused the call with status {status}: {text}",
            model=self.model,
            provider=self.provider,
            provider_status=status,
        )

    def _reply(self, request: ModelRequest, said: Said, latency_ms: int) -> ModelReply:
        prompt = said.prompt_tokens or rough_tokens(request)
        completion = said.completion_tokens or len(said.text) // 3 + sum(
            len(call.arguments) // 3 + 8 for call in said.calls
        )
        known = price(self.provider, self.model)
        return ModelReply(
            text=said.text,
            tool_calls=said.calls,
            finish_reason=said.finish_reason,
            prompt_tokens=prompt,
            completion_tokens=completion,
            cost_micro=known.cost(prompt, completion, said.cached_tokens) if known else None,
            priced=known is not None,
            model=self.model,
            provider=self.provider,
            latency_ms=latency_ms,
            estimated=not said.prompt_tokens,
        )


async def embeddings(route: str, texts: list[str], api_key: str, api_base: str | None) -> list[list[float]]:
    """A vector for each text, as the model gives it; ModelUnavailable when another try may help."""
    litellm = await _loaded()
    import openai

    given = {"api_base": api_base} if api_base else {}
    try:
        async with asyncio.timeout(EMBEDDING_S):
            answered = await litellm.aembedding(model=route, input=texts, api_key=api_key, **given, **EVERY_CALL)
    except TimeoutError:
        raise ModelUnavailable(f"The model {route} did not embed within {EMBEDDING_S:g} s.") from None
    except openai.OpenAIError as fault:
        raise LiteLLMModel("", route, route, api_key, api_base).failure(fault) from None
    return [item["embedding"] for item in sorted(answered.data, key=lambda item: item["index"])]


def _format(request: ModelRequest) -> dict[str, Any] | None:
    """OpenAI's response_format for the schema that the answer must fit."""
    if request.answer_schema is None:
        return None
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": request.answer_schema}}


def _retry_after_s(fault: Exception) -> float | None:
    """Seconds that the provider asks to wait."""
    response = getattr(fault, "response", None)
    for headers in (getattr(fault, "litellm_response_headers", None), getattr(response, "headers", None)):
        asked = headers.get("retry-after") if headers else None
        try:
            return float(asked) if asked else None
        except ValueError:
            continue  # a date: the engine's own backoff will do
    return None
