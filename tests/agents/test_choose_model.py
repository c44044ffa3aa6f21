"""Which model answers an agent, how it is called, and what its calls cost."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agents.errors import AgentExecutionError, ModelUnavailable
from agents.llm import model_choice
from agents.llm.chat_model import ModelProfile, ModelReply, ModelRequest
from agents.llm.providers.litellm_model import LiteLLMModel
from agents.llm.providers.priced_model import Price, price
from tests.model_server import ModelServer

HELLO = "Hello"


def ask(message: str = HELLO, timeout_s: float = 30, **profile: Any) -> ModelReply:
    """The reply to one message."""
    request = ModelRequest("a", ModelProfile(**profile), [{"role": "user", "content": message}], timeout_s=timeout_s)

    async def once() -> ModelReply:
        try:
            return await model_choice.chat_model(request.profile).complete(request)
        finally:
            await model_choice.close()

    return asyncio.run(once())


@pytest.mark.parametrize(
    "provider,model", [("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"), ("mistral", "x"), ("", "y/z")]
)
def test_a_gateway_serves_every_agent_under_its_models_name(gateway: ModelServer, provider: str, model: str) -> None:
    reply = ask(provider=provider, model=model)
    assert gateway.requests[-1]["model"] == model
    assert (reply.model, reply.provider, reply.text) == (model, provider or "openai", "ok")


def test_an_agent_without_a_model_gets_the_default_one(gateway: ModelServer) -> None:
    ask()
    assert gateway.requests[-1]["model"] == "small"


def test_with_neither_gateway_nor_key_the_error_names_what_to_set(offline: None, settings: Any) -> None:
    settings.OFFLINE_MODEL_ALLOWED = False
    with pytest.raises(AgentExecutionError, match="LLM_BASE_URL.*ANTHROPIC_API_KEY"):
        ask(provider="anthropic", model="claude-sonnet-4-5")
    with pytest.raises(AgentExecutionError, match="'acme'.*LLM_BASE_URL"):
        ask(provider="acme", model="x")


def test_a_gateway_needs_a_model_name(gateway: ModelServer, settings: Any) -> None:
    settings.LLM_MODEL = ""
    with pytest.raises(AgentExecutionError, match="model_profile.model, or LLM_MODEL"):
        ask()


def test_a_provider_with_a_key_is_called_with_that_key(offline: None, settings: Any) -> None:
    settings.PROVIDER_KEYS = {**settings.PROVIDER_KEYS, "anthropic": "key-a"}
    model = model_choice.chat_model(ModelProfile("claude", "claude-sonnet-4-5"))
    assert model == LiteLLMModel("anthropic", "claude-sonnet-4-5", "anthropic/claude-sonnet-4-5", "key-a")


def test_the_default_model_may_name_its_provider(offline: None, settings: Any) -> None:
    settings.PROVIDER_KEYS = {**settings.PROVIDER_KEYS, "gemini": "key-g"}
    settings.LLM_MODEL = "gemini/gemini-2.5-flash"
    assert model_choice.chat_model(ModelProfile()) == LiteLLMModel(
        "gemini", "gemini-2.5-flash", "gemini/gemini-2.5-flash", "key-g"
    )


def test_a_key_of_the_environment_is_not_sent_to_the_gateway(
    gateway: ModelServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.agents.far_end import FarEnd

    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    settings.LLM_API_KEY = ""
    with FarEnd() as server:
        settings.LLM_BASE_URL = f"{server.url}/v1"
        server.answer = lambda _: (401, {}, b"{}")
        with pytest.raises(AgentExecutionError, match="status 401"):
            ask(model="gpt-4o")
        assert server.hits and "sk-of-the-environment" not in str(server.hits)


def test_a_model_that_does_not_answer_in_time_is_unavailable(gateway: ModelServer) -> None:
    with pytest.raises(ModelUnavailable, match=r"within 0\.2 s"):
        ask("<<delay: 5000>>", timeout_s=0.2, model="gpt-4o")


def test_a_gateway_that_is_down_is_unavailable(gateway: ModelServer, settings: Any) -> None:
    with ModelServer() as gone:
        settings.LLM_BASE_URL = gone.url
    with pytest.raises(ModelUnavailable):
        ask(model="gpt-4o")


def test_a_rate_limit_tells_how_long_to_wait(gateway: ModelServer, settings: Any) -> None:
    from tests.agents.far_end import FarEnd

    with FarEnd() as server:
        settings.LLM_BASE_URL = f"{server.url}/v1"
        server.answer = lambda _: (429, {"retry-after": "7"}, b'{"error": {"message": "slow down"}}')
        with pytest.raises(ModelUnavailable, match="slow down") as fault:
            ask(model="gpt-4o")
    assert fault.value.retry_after_s == 7.0 and len(server.hits) == 1


def test_prices_are_those_of_the_plain_model_name() -> None:
    for provider in ("openai", "anthropic"):
        known = price(provider, "gpt-4o-mini")
        assert known and known.cost(1_000_000, 1_000_000) == 150_000 + 600_000
    assert price("openai", "nobody-knows-this") is None


def test_costs_are_rounded_up_and_cached_tokens_are_cheaper() -> None:
    own = Price(prompt=0.15, completion=0.6, cached=0.075)
    assert own.cost(1, 0) == 1 and own.cost(0, 0) == 0
    assert own.cost(1000, 0, cached_tokens=1000) == 75


def test_an_answer_without_a_limit_reserves_for_4096_tokens(gateway: ModelServer) -> None:
    request = ModelRequest("a", ModelProfile("openai", "gpt-4o-mini"), [{"role": "user", "content": HELLO}])
    assert asyncio.run(model_choice.chat_model(request.profile).estimate(request)) == pytest.approx(
        4096 * 0.6, rel=0.01
    )


def test_a_web_process_never_loads_litellm() -> None:
    code = (
        "import django; django.setup(); import config.urls, agents.urls, agents.workflow_nodes, sys; "
        "sys.exit('litellm' in sys.modules or 'openai' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, env=dict(os.environ), timeout=60).returncode == 0


def test_preloading_leaves_no_thread_behind(tmp_path: Path) -> None:
    code = (
        "import django; django.setup(); from agents.llm.providers.litellm_model import preload_litellm; "
        "import threading, sys; preload_litellm(); "
        "sys.exit(threading.active_count() != 1 or 'litellm' not in sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, env=dict(os.environ), timeout=60).returncode == 0
