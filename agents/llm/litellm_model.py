"""Model calls through LiteLLM, and its list of prices.

Importing it takes seconds and 170 MB: only workers do, once, never at module level.
"""

import asyncio
import logging
import math
import os
import socket
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from agents.errors import ModelUnavailable, ReserveUsedUp
from agents.llm.assembly import Answer, Assembler, Unreadable, whole_answer
from agents.llm.chat_model import ANSWER_TOKENS, ModelProfile, ModelReply, ModelRequest, rough_tokens
from agents.llm.failures import failure_of

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


async def _litellm() -> Any:
    return load() if load.cache_info().currsize else await asyncio.to_thread(load)


def preload() -> None:
    """Import LiteLLM and all that its first call would import: one call to a port of ours that refuses it."""
    load()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
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
    prices = load().model_cost
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
        await _litellm()
        return price(self.provider, self.model) or UNKNOWN_PRICE

    async def window(self) -> int:
        """The tokens that a prompt of this model may have, by the list; a cautious number when it is not there."""
        await _litellm()
        model_price = price(self.provider, self.model)
        return model_price.window if model_price else WINDOW_TOKENS

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The model's answer; its text is passed to `request.on_text`, if there is one, as it comes.

        Raises ModelUnavailable when another try may help, else AgentExecutionError; whatever went wrong.
        """
        start = time.perf_counter()
        await _litellm()
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


@dataclass(frozen=True)
class LiteLLMModel(PricedModel):
    """One model behind LiteLLM; its key is always passed on, so that none is taken from the environment."""

    route: str  # LiteLLM's name of it: provider/model
    api_key: str
    api_base: str | None = None

    async def _answer(self, request: ModelRequest) -> Answer:
        response = await load().acompletion(**self._parameters(request))
        if not request.on_text:
            return whole_answer(response.model_dump())
        assembler = Assembler()
        async for chunk in response:
            if text := assembler.take(chunk.model_dump()):
                request.on_text(text)
        # LiteLLM ends each stream with a finish reason, of its own making when the provider sent none; what came from
        # the provider is in this attribute. [DONE] counts as "stop".
        if getattr(response, "received_finish_reason", "stop") is None:
            assembler.finish_reason = ""
        return assembler.finish()

    def _parameters(self, request: ModelRequest) -> dict[str, Any]:
        values = parameters(request) | ({"api_base": self.api_base} if self.api_base else {})
        return {
            "model": self.route,
            "messages": request.messages,
            "api_key": self.api_key,
            "timeout": request.timeout_s,
            **values,
            **EVERY_CALL,
        }


def parameters(request: ModelRequest) -> dict[str, Any]:
    """The request's parameters beside its messages, in the OpenAI form."""
    profile = request.profile
    values: dict[str, Any] = {
        "temperature": profile.temperature,
        "max_tokens": profile.max_tokens,
        "tools": request.tools or None,
        "response_format": _format(request),
    }
    if request.on_text:
        values |= {"stream": True, "stream_options": {"include_usage": True}}
    return {name: value for name, value in values.items() if value is not None}


def openai_parameters(model: str, request: ModelRequest) -> dict[str, Any]:
    """`parameters` as OpenAI's own API takes them for a model of this name, such as max_completion_tokens."""
    values = parameters(request)
    config, names = _openai_config(model)
    streaming = {name: values.pop(name) for name in ("stream", "stream_options") if name in values}
    supported_values = {name: value for name, value in values.items() if name in names}
    return dict(config.map_openai_params(supported_values, {}, model, True)) | streaming


@lru_cache(maxsize=512)
def _openai_config(model: str) -> tuple[Any, frozenset[str]]:
    """(LiteLLM's rules for an OpenAI model of this name, the parameters that it takes)."""
    litellm = load()
    config = litellm.utils.ProviderConfigManager.get_provider_chat_config(
        model=model, provider=litellm.LlmProviders.OPENAI
    )
    return config, frozenset(config.get_supported_openai_params(model))


async def embeddings(route: str, texts: list[str], api_key: str, api_base: str | None) -> list[list[float]]:
    """A vector for each text, as the model gives it; ModelUnavailable when another try may help."""
    litellm = await _litellm()
    base = {"api_base": api_base} if api_base else {}
    try:
        async with asyncio.timeout(EMBEDDING_S):
            response = await litellm.aembedding(model=route, input=texts, api_key=api_key, **base, **EVERY_CALL)
        vectors = [item["embedding"] for item in sorted(response.data, key=lambda item: item["index"])]
        if len(vectors) != len(texts) or not all(isinstance(vector, list) and vector for vector in vectors):
            raise Unreadable(f"it has {len(vectors)} vectors for {len(texts)} texts, or some that are no lists")
        return vectors
    except TimeoutError:
        raise ModelUnavailable(f"The model {route} did not embed within {EMBEDDING_S:g} s.") from None
    except Exception as fault:
        raise failure_of(fault, route, "") from None


def _format(request: ModelRequest) -> dict[str, Any] | None:
    """OpenAI's response_format for the schema that the answer must fit."""
    if request.answer_schema is None:
        return None
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": request.answer_schema}}
