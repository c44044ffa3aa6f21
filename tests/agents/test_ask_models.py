"""Fallbacks, structured answers, and whose key a call is made with."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from agents.catalog.lookup import AgentSpec, profile_of
from agents.errors import AgentExecutionError
from agents.llm.chat_model import ModelProfile
from agents.llm.model_choice import chat_model
from agents.loop import model_calls
from governance import vault
from governance.budgets.reservations import BudgetExceeded
from governance.models import ProviderKey, TenantSecret
from orchestration.program.retry import Retry, StepFailed
from tests.agents.context import MemoryContext
from tests.agents.test_run_loop import agent, run
from tests.factories import log_in, make_user
from tests.model_server import ModelServer

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from accounts.models import Tenant

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["city", "people"],
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between tries of a model call."""
    monkeypatch.setattr(model_calls, "MODEL_RETRY", Retry(2, 0.0))


def with_fallbacks(*models: str) -> AgentSpec:
    """An agent whose first model is gpt-4o-mini."""
    first = ModelProfile("openai", "gpt-4o-mini", fallbacks=tuple(ModelProfile("openai", name) for name in models))
    return replace(agent(), profile=first)


def test_a_fallback_answers_when_the_first_model_fails(gateway: ModelServer) -> None:
    ctx = MemoryContext()
    turn = run(ctx, with_fallbacks("gpt-4o", "gpt-4.1"), "Hi <<fail: fb1 3>> <<say: from another>>")
    assert turn.text == "from another"
    assert [asked["model"] for asked in gateway.requests] == ["gpt-4o-mini"] * 2 + ["gpt-4o"] * 2
    assert list(ctx.recorded) == ["ask/model-1/fallback-1"] and ctx.told("error")[0]["fallback"] == 1


def test_when_all_models_fail_the_last_ones_error_is_told(gateway: ModelServer) -> None:
    with pytest.raises(StepFailed, match="gpt-4o "):
        run(MemoryContext(), with_fallbacks("gpt-4o"), "Hi <<status: 401>>")
    assert len(gateway.requests) == 2


def test_a_stored_profile_keeps_its_fallbacks() -> None:
    stored = {"provider": "openai", "model": "a", "timeout_s": 5, "fallbacks": [{"provider": "x", "model": "b"}]}
    profile = profile_of(stored)
    assert (profile.timeout_s, profile.fallbacks[0].model) == (5, "b")


def test_an_answer_that_fits_its_schema_is_taken(gateway: ModelServer) -> None:
    told = run(MemoryContext(), replace(agent(), output_schema=SCHEMA), '<<say: {"city": "Porto", "people": 3}>>')
    assert json.loads(told.text) == {"city": "Porto", "people": 3}
    assert gateway.requests[0]["response_format"]["json_schema"]["schema"] == SCHEMA


def test_an_answer_that_does_not_fit_is_asked_for_once_more(gateway: ModelServer) -> None:
    with pytest.raises(AgentExecutionError, match="people"):
        run(MemoryContext(), replace(agent(), output_schema=SCHEMA), '<<say: {"city": "Porto"}>>')
    assert len(gateway.requests) == 2
    asked_again = gateway.requests[1]["messages"][-1]["content"]
    assert "people: This field is required." in asked_again


def test_a_stream_is_cut_when_the_reserve_is_used_up(gateway: ModelServer) -> None:
    ctx, short = MemoryContext(limited=True), ModelProfile("openai", "gpt-4o-mini", max_tokens=3)
    with pytest.raises(BudgetExceeded, match="3 tokens"):
        run(ctx, replace(agent(), profile=short), "<<words: 200>>", stream=True)
    (bill,) = ctx.bills
    assert bill.cost_micro == bill.held_micro > 0  # charged for what was reserved, and no more was heard
    assert len("".join(ctx.texts["ask/model-1"])) <= 4 * 4 and ctx.told("budget_exceeded")


def test_under_a_limit_the_provider_is_told_how_long_an_answer_may_be(gateway: ModelServer) -> None:
    profile = ModelProfile("openai", "gpt-4o-mini")
    for limited in (False, True):
        run(MemoryContext(limited=limited), replace(agent(), profile=profile), "hello")
    assert [asked.get("max_tokens") for asked in gateway.requests] == [None, 4096]


def test_what_is_said_aloud_is_the_answer(gateway: ModelServer) -> None:
    ctx = MemoryContext()
    turn = run(ctx, agent(), "<<say: one two three>>", stream=True)
    assert "".join(ctx.texts["ask/model-1"]) == turn.text == "one two three" and len(ctx.texts["ask/model-1"]) == 3
    assert gateway.requests[0]["stream_options"] == {"include_usage": True}
    (told,) = ctx.told("llm_call")
    assert told["usage"]["completionTokens"] == 3 and not told["usage_estimated"]


def test_tool_calls_come_in_pieces_too(gateway: ModelServer) -> None:
    ctx = MemoryContext()
    turn = run(ctx, agent(tools=("ticketing.list_open",)), "<<call: ticketing_list_open {}>> <<say: two>>", stream=True)
    assert turn.text == "two" and turn.tool_calls[0]["result"]["count"] == 2


def test_no_profile_makes_a_key_travel_to_an_address_of_its_own(settings: Any) -> None:
    settings.LLM_BASE_URL, settings.LLM_API_KEY = "http://gateway.internal/v1", "sk-operator"
    profile = profile_of(
        {"provider": "openai", "model": "gpt-4o", "api_base": "http://evil", "base_url": "http://evil"}
    )
    assert chat_model(profile).api_base == "http://gateway.internal/v1"
    own = chat_model(profile, "sk-own")
    assert (own.api_key, own.api_base) == ("sk-own", None)
    odd = chat_model(replace(profile, provider="somewhere-else"), "sk-own")
    assert odd.api_key == "sk-operator"


def test_a_users_key_comes_before_the_tenants(tenant: "Tenant", other_tenant: "Tenant") -> None:
    user, colleague = make_user(tenant), make_user(tenant)
    assert vault.provider_key(tenant.pk, user.pk, "openai") is None
    TenantSecret.all_tenants.create(tenant=tenant, key="OPENAI_API_KEY", sealed=vault.encrypt("sk-tenant"))
    ProviderKey.all_tenants.create(
        tenant=tenant, user_id=user.pk, service_name="openai", sealed=vault.encrypt("sk-user")
    )
    assert vault.provider_key(tenant.pk, user.pk, "openai") == "sk-user"
    assert vault.provider_key(tenant.pk, colleague.pk, "openai") == "sk-tenant"
    assert vault.provider_key(tenant.pk, colleague.pk, "anthropic") is None
    assert vault.provider_key(other_tenant.pk, user.pk, "openai") is None


def test_a_providers_key_goes_in_and_never_comes_out(api: "APIClient", tenant: "Tenant") -> None:
    url = "/api/v1/api-keys"
    made = api.post(url, {"service_name": "openai", "api_key": "sk-planted-secret"}, format="json")
    assert made.status_code == 200 and made.json()["is_active"]
    assert "planted" not in made.content.decode() + api.get(url).content.decode()
    assert "planted" not in str(list(ProviderKey.all_tenants.values()))
    api.post(url, {"service_name": "OpenAI", "api_key": "sk-another"}, format="json")
    assert [row["service_name"] for row in api.get(url).json()] == ["openai"]
    api.post(url, {"service_name": "Google", "api_key": "sk-g"}, format="json")
    assert api.delete(f"{url}/google").status_code == 200
    other = log_in(make_user(tenant, role="admin"))
    assert other.get(url).json() == [] and other.delete(f"{url}/openai").status_code == 404
    assert api.delete(f"{url}/openai").json()["status"] == "success" and api.get(url).json() == []


def test_secrets_survive_a_change_of_keys(settings: Any) -> None:
    from cryptography.fernet import Fernet

    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.SECRETS_KEYS = [old]
    token = vault.encrypt({"a": 1})
    settings.SECRETS_KEYS = [new, old]
    rotated = vault.reencrypt(token)
    settings.SECRETS_KEYS = [new]
    assert vault.decrypt(rotated) == {"a": 1} and vault.encrypt("x") != vault.encrypt("x")
    with pytest.raises(vault.SecretUnreadable):
        vault.decrypt(token)
