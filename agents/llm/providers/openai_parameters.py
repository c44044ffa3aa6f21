"""The parameters of a request in the OpenAI form, as gateways and OpenAI's own API take them."""

from functools import lru_cache
from typing import Any

from agents.llm.chat_model import ModelRequest
from agents.llm.providers.litellm_library import load_litellm
from config.values.json_types import JsonObject


def parameters(request: ModelRequest) -> JsonObject:
    """The request's parameters beside its messages, in the OpenAI form."""
    profile = request.profile
    values: JsonObject = {
        "temperature": profile.temperature,
        "max_tokens": profile.max_tokens,
        "tools": request.tools or None,
        "response_format": _format(request),
    }
    if request.on_text:
        values |= {"stream": True, "stream_options": {"include_usage": True}}
    return {name: value for name, value in values.items() if value is not None}


def openai_parameters(model: str, request: ModelRequest) -> JsonObject:
    """`parameters` as OpenAI's own API takes them for a model of this name, such as max_completion_tokens."""
    values = parameters(request)
    config, names = _openai_config(model)
    streaming = {name: values.pop(name) for name in ("stream", "stream_options") if name in values}
    supported_values = {name: value for name, value in values.items() if name in names}
    return dict(config.map_openai_params(supported_values, {}, model, True)) | streaming


@lru_cache(maxsize=512)
def _openai_config(model: str) -> tuple[Any, frozenset[str]]:
    """(LiteLLM's rules for an OpenAI model of this name, the parameters that it takes)."""
    litellm = load_litellm()
    config = litellm.utils.ProviderConfigManager.get_provider_chat_config(
        model=model, provider=litellm.LlmProviders.OPENAI
    )
    return config, frozenset(config.get_supported_openai_params(model))


def _format(request: ModelRequest) -> JsonObject | None:
    """OpenAI's response_format for the schema that the answer must fit."""
    if request.answer_schema is None:
        return None
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": request.answer_schema}}
