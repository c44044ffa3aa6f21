"""Which model answers an agent: the operator's gateway, a provider with a key, or the built-in offline model."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from django.conf import settings

from agents.errors import AgentExecutionError
from agents.llm.chat_model import ChatModel, ModelProfile
from agents.llm.plugin_models import PROVIDERS, split_name
from agents.llm.providers import gateway_model, litellm_library
from agents.llm.providers.gateway_model import GatewayModel
from agents.llm.providers.litellm_model import LiteLLMModel, preload_litellm
from config.outbound import client
from governance import vault

if TYPE_CHECKING:
    from orchestration.program.context import RunContext
    from orchestration.program.run_info import RunInfo

NO_KEY = "-"  # a gateway without a key still gets one, so that nothing is looked up in the environment


async def model_for(ctx: "RunContext", profile: ModelProfile) -> ChatModel:
    """The model that serves this profile for this run, with the key of its user or tenant when there is one."""
    provider = _provider_and_model(profile)[0] or "openai"
    run = ctx.run
    key = await ctx.shared(
        (run.tenant_id, "provider key", run.created_by, run.parent_id, provider), partial(key_for, run, provider)
    )
    return chat_model(profile, key)


LendsKey = Callable[["RunInfo", str], str | None]
_lenders: list[LendsKey] = []


def lends_keys(function: LendsKey) -> LendsKey:
    """Register what gives the runs that it knows keys of their own: (run, provider) → key."""
    _lenders.append(function)
    return function


def key_for(run: "RunInfo", provider: str) -> str | None:
    """The key for the run's calls to this provider: one that it was lent, else its user's, else its tenant's."""
    for lend in _lenders:
        if key := lend(run, provider):
            return key
    return vault.provider_key(run.tenant_id, run.created_by, provider)


_fallback: list[Callable[[], ChatModel]] = []


def fallback_model(model: Callable[[], ChatModel]) -> Callable[[], ChatModel]:
    """Register the model that answers when none is set up."""
    _fallback[:] = [model]
    return model


def chat_model(profile: ModelProfile, own_key: str | None = None) -> ChatModel:
    """The model that serves this profile: a plug-in's, with a key of the caller's own the provider itself, else the
    operator's gateway, a provider with a key in the environment, the offline model.

    Raises AgentExecutionError naming what to set.

    No profile names an address: a key never goes anywhere but to its provider, or to the operator's gateway.
    """
    provider, name = _provider_and_model(profile)
    if provider in PROVIDERS:
        return PROVIDERS[provider](name, own_key)
    if own_key and name and (provider or "openai") in settings.PROVIDER_KEYS:
        provider = provider or "openai"
        return LiteLLMModel(provider, name, f"{provider}/{name}", own_key)
    if settings.LLM_BASE_URL:
        if not name:
            raise AgentExecutionError("The agent names no model: set its model_profile.model, or LLM_MODEL.")
        return GatewayModel(provider or "openai", name, settings.LLM_BASE_URL, settings.LLM_API_KEY or NO_KEY)
    key = settings.PROVIDER_KEYS.get(provider or "openai")
    if key and name:
        provider = provider or "openai"
        return LiteLLMModel(provider, name, f"{provider}/{name}", key)
    if settings.OFFLINE_MODEL_ALLOWED and not key:
        return _fallback[0]()
    raise AgentExecutionError(_what_to_set(provider or "openai", name))


def _provider_and_model(profile: ModelProfile) -> tuple[str, str]:
    """Provider and model of the profile; LLM_MODEL, which may begin with its provider, fills in for a missing model."""
    provider = vault.provider_name(profile.provider)
    if profile.model:
        return split_name(provider, profile.model)
    first, slash, rest = settings.LLM_MODEL.partition("/")
    if slash and (first == "openai" or (first in settings.PROVIDER_KEYS and not settings.LLM_BASE_URL)):
        return first, rest
    return split_name(provider, settings.LLM_MODEL)


def default_model() -> ModelProfile:
    """The model of the built-in agents: LLM_MODEL, else a small one."""
    provider, name = _provider_and_model(ModelProfile())
    return ModelProfile(provider or "openai", name or "gpt-4o-mini", temperature=0.1)


def _what_to_set(provider: str, name: str) -> str:
    if not name:
        return "The agent names no model: set its model_profile.model, or LLM_MODEL."
    if provider in settings.PROVIDER_KEYS:
        key = f"{provider.upper()}_API_KEY"
        return f"No model serves this agent: set LLM_BASE_URL to an OpenAI-compatible gateway, or {key}."
    providers = ", ".join(sorted(settings.PROVIDER_KEYS))
    return f"No model serves provider {provider!r}: set LLM_BASE_URL to a gateway that does, or use one of {providers}."


async def close() -> None:
    """End all connections that agents and tools keep on this event loop; the last act of a worker."""
    await litellm_library.close()
    await gateway_model.close()
    await client.close()


def preload() -> None:
    """Load what model calls need, in the workers' parent, so that they share its memory; nothing when offline."""
    if settings.LLM_BASE_URL or any(settings.PROVIDER_KEYS.values()):
        preload_litellm()
