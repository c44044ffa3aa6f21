"""What all tests share: real servers in a temporary folder, two tenants, a logged-in client, the whole product."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from config.launch.servers import startup
from tests.front import Front
from tests.model_server import ModelServer
from tests.product import GENEROUS, Product, fresh_folder, started

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from accounts.models import Tenant

UP = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    """PostgreSQL and Redis are up before Django's settings are read, which name them. A given DATABASE_URL or REDIS_URL
    is used as it is."""
    config.stash[UP] = up = ExitStack()
    spreads = getattr(config.option, "dist", "no") != "no" and not hasattr(config, "workerinput")
    if config.option.help or spreads:  # who only hands the tests out needs no servers: each worker has its own,
        os.environ.pop("DJANGO_SETTINGS_MODULE", None)  # and reads the settings once it has them
        return
    folder = up.enter_context(fresh_folder())
    os.environ |= {"DATA_DIR": str(folder), "SECRET_KEY": "tests-keep-no-secret-with-this-key-at-all"}
    for name, value in (GENEROUS | {"OUTBOUND_ALLOW": "127.0.0.1"}).items():
        os.environ.setdefault(name, value)
    up.enter_context(startup.running(folder))
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    from django.conf import settings

    # Argon2 is slow on purpose; the tests make hundreds of users.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]


SLOW = ("tests/durability", "tests/launch", "tests/teams")  # begun first, so that nobody waits for them in the end


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slowest files first."""
    items.sort(key=lambda item: not item.nodeid.startswith(SLOW))


def pytest_unconfigure(config: pytest.Config) -> None:
    """The servers are stopped and their folder is removed."""
    config.stash[UP].close()


@pytest.fixture
def tenant(db: None) -> "Tenant":
    """A tenant."""
    from tests.factories import make_tenant

    return make_tenant()


@pytest.fixture
def other_tenant(db: None) -> "Tenant":
    """Another one: nothing of the first may be seen from here."""
    from tests.factories import make_tenant

    return make_tenant()


@pytest.fixture
def api(tenant: "Tenant") -> "APIClient":
    """A client of the tenant's developer, logged in through the front door."""
    from tests.factories import log_in, make_user

    return log_in(make_user(tenant, role="developer"))


@pytest.fixture(scope="session")
def model_server() -> Iterator[ModelServer]:
    """The scripted model that agents talk to."""
    with ModelServer() as server:
        yield server


@pytest.fixture
def front(transactional_db: None) -> Iterator[Front]:
    """The web application behind its ASGI door."""
    with Front() as door:
        yield door


@pytest.fixture(scope="session")
def live(model_server: ModelServer) -> Iterator[Product]:
    """The whole product as `make run` starts it, on an empty data folder, its agents talking to the scripted model."""
    model = {"LLM_BASE_URL": model_server.url, "LLM_API_KEY": "sk-test", "LLM_MODEL": "openai/gpt-4o-mini"}
    model |= {"MONITOR_SEND_S": "3"}
    with fresh_folder() as folder, started(folder, **model) as product:
        yield product.ready()
