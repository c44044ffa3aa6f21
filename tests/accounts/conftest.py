"""Who tests of accounts are: nobody, and the admin of a tenant."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from accounts.models import Tenant


@pytest.fixture
def anon(db: None) -> "APIClient":
    """A client without credentials."""
    from rest_framework.test import APIClient

    return APIClient()


@pytest.fixture
def admin(tenant: "Tenant") -> "APIClient":
    """The client of the tenant's only admin."""
    from tests.factories import log_in, make_user

    return log_in(make_user(tenant, role="admin"))


@pytest.fixture
def at_once() -> Callable[[Callable[[], Any], int], list[Any]]:
    """Runs a function in several threads at the same moment; the list of what each returned."""

    def run(function: Callable[[], Any], times: int) -> list[Any]:
        gate, found = threading.Barrier(times), []

        def one() -> None:
            try:
                gate.wait()
                found.append(function())
            finally:
                connection.close()

        threads = [threading.Thread(target=one) for _ in range(times)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    return run
