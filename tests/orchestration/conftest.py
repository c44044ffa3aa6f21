"""An engine that runs against the test's database."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from accounts.models import Tenant
    from tests.orchestration.running import EngineThread


@pytest.fixture
def acme(transactional_db: None) -> "Tenant":
    """A tenant whose rows other processes and threads can see."""
    from accounts.models import Tenant

    return Tenant.objects.create(id="acme", name="Acme")


@pytest.fixture
def engine(acme: "Tenant") -> "Iterator[EngineThread]":
    """A running engine."""
    from tests.orchestration.running import EngineThread

    running = EngineThread()
    yield running
    running.drain()
