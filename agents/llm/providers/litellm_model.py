"""Model calls and embeddings through LiteLLM."""

import asyncio
import socket
from dataclasses import dataclass

from agents.errors import ModelUnavailable
from agents.llm.chat_model import ModelProfile, ModelRequest
from agents.llm.providers.answer_parts import Unreadable
from agents.llm.providers.assembly import Answer, Assembler, whole_answer
from agents.llm.providers.failures import failure_of
from agents.llm.providers.litellm_library import EVERY_CALL, litellm_in_thread, load_litellm
from agents.llm.providers.openai_parameters import parameters
from agents.llm.providers.priced_model import PricedModel
from config.values.json_types import JsonObject

EMBEDDING_S = 60.0


def preload_litellm() -> None:
    """Import LiteLLM and all that its first call would import: one call to a port of ours that refuses it."""
    load_litellm()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        request = ModelRequest("", ModelProfile(), [{"role": "user", "content": "hello"}], [_WARM_TOOL])
        try:
            asyncio.run(LiteLLMModel("openai", "gpt-4o-mini", "openai/gpt-4o-mini", "-", url).complete(request))
        except ModelUnavailable:
            return


_WARM_TOOL = {"type": "function", "function": {"name": "warm", "parameters": {"type": "object", "properties": {}}}}


@dataclass(frozen=True)
class LiteLLMModel(PricedModel):
    """One model behind LiteLLM; its key is always passed on, so that none is taken from the environment."""

    route: str  # LiteLLM's name of it: provider/model
    api_key: str
    api_base: str | None = None

    async def _answer(self, request: ModelRequest) -> Answer:
        response = await load_litellm().acompletion(**self._parameters(request))
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

    def _parameters(self, request: ModelRequest) -> JsonObject:
        values = parameters(request) | ({"api_base": self.api_base} if self.api_base else {})
        return {
            "model": self.route,
            "messages": request.messages,
            "api_key": self.api_key,
            "timeout": request.timeout_s,
            **values,
            **EVERY_CALL,
        }


async def embeddings(route: str, texts: list[str], api_key: str, api_base: str | None) -> list[list[float]]:
    """A vector for each text, as the model gives it; ModelUnavailable when another try may help."""
    litellm = await litellm_in_thread()
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
