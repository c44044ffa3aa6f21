"""Tests of agents talk to the scripted model server unless they say otherwise."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.agents.far_end import FarEnd
from tests.model_server import ModelServer

if TYPE_CHECKING:
    from accounts.models import Tenant
    from tests.orchestration.running import EngineThread


@pytest.fixture
def gateway(settings: Any, model_server: ModelServer) -> ModelServer:
    """The scripted model as the operator's gateway."""
    settings.LLM_BASE_URL, settings.LLM_API_KEY, settings.LLM_MODEL = (
        model_server.url,
        "sk-test-gateway",
        "openai/small",
    )
    model_server.requests.clear()
    return model_server


@pytest.fixture
def offline(settings: Any) -> None:
    """No gateway and no key: the built-in model answers."""
    settings.LLM_BASE_URL, settings.LLM_MODEL = "", ""
    settings.PROVIDER_KEYS = dict.fromkeys(settings.PROVIDER_KEYS, "")
    settings.OFFLINE_MODEL_ALLOWED = True


@pytest.fixture
def far_end(settings: Any) -> Iterator[FarEnd]:
    """A server that outgoing calls may reach."""
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    with FarEnd() as server:
        yield server


@pytest.fixture
def acme(transactional_db: None) -> "Tenant":
    """A tenant whose rows other threads can see."""
    from accounts.models import Tenant

    return Tenant.objects.create(id="acme", name="Acme")


@pytest.fixture
def engine(acme: "Tenant") -> "Iterator[EngineThread]":
    """A running engine."""
    from tests.orchestration.running import EngineThread

    running = EngineThread()
    yield running
    running.drain()
