"""Every WebSocket, asked under another tenant's name: refused with 1008. The sockets come from the URL router."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.urls import URLPattern

from accounts.models import Tenant, User
from config.sockets import UnknownPath, routes
from orchestration.models import Run
from tests.factories import PASSWORD, make_tenant, make_user, token_of
from tests.front import Front

POLICY_VIOLATION = 1008
First = Callable[..., dict[str, Any]]


@pytest.fixture
def run(transactional_db: None) -> Run:
    """A finished execution, which all monitors may show."""
    tenant = make_tenant()
    agents = [{"agent_id": "a", "execution_order": 1}]
    input = {"initial_prompt": "x", "workflow_definition": {"type": "sequential", "agents": agents}}
    return Run.all_tenants.create(tenant=tenant, kind="team", subject_id="t", input=input, status="running")


@pytest.fixture
def token(run: Run) -> str:
    """An access token of one who may watch it."""
    return token_of(make_user(run.tenant))


def paths(run: Run) -> Iterator[str]:
    """The path of every socket that there is, with the run's id in it."""
    for route in routes.routes:
        assert isinstance(route, URLPattern)
        if route.callback.consumer_class is not UnknownPath:
            path = re.sub(r"\(\?P<\w+>[^)]*\)", str(run.pk), str(route.pattern))
            yield "/" + path.replace("(?:api/v1/)?", "").replace("/?$", "").replace("^", "")


@pytest.fixture
def first(front: Front) -> First:
    """Factory: what the server sends first on a socket of this token."""

    def dial(path: str, token: str, query: str = "", headers: Any = ()) -> dict[str, Any]:
        auth = [(b"authorization", f"Bearer {token}".encode())] if token else []
        return front.first_message(path, query, [*auth, *headers])

    return dial


def name_of(tenant: Tenant) -> list[tuple[bytes, bytes]]:
    """The header that names the tenant."""
    return [(b"x-tenant-id", tenant.pk.encode())]


def test_a_socket_under_another_tenants_name_is_refused(first: First, run: Run, token: str) -> None:
    other = make_tenant()
    assert len(list(paths(run))) == 2
    for path in paths(run):
        for query, headers in (
            ("", name_of(other)),
            (f"tenant_id={other.pk}", []),
            (f"tenant_id={other.pk}&tenant_id={run.tenant_id}", []),
            ("", name_of(other) + name_of(run.tenant)),
        ):
            message = first(path, token, query, headers)
            assert (message["type"], message.get("code")) == ("websocket.close", POLICY_VIOLATION), (path, query)
            assert "tenant" in message["reason"]


def test_a_socket_under_ones_own_tenants_name_is_served(first: First, run: Run, token: str) -> None:
    for path in paths(run):
        assert first(path, token)["type"] == "websocket.send"
        assert first(path, token, f"tenant_id={run.tenant_id}", name_of(run.tenant))["type"] == "websocket.send"


def test_an_operator_watches_a_run_of_the_tenant_that_they_name(first: First, run: Run) -> None:
    root = token_of(User.objects.create_superuser("root@example.com", PASSWORD))
    for path in paths(run):
        assert first(path, root)["code"] == POLICY_VIOLATION
        assert first(path, root, "", name_of(run.tenant))["type"] == "websocket.send"


def test_a_socket_whose_query_cannot_be_read_is_closed(first: First, run: Run, token: str) -> None:
    for path in paths(run):
        assert first(path, token, "a=1&" * 2_000)["type"] == "websocket.close"


def test_a_socket_of_nobody_is_refused_whatever_it_names(first: First, run: Run) -> None:
    for path in paths(run):
        assert first(path, "", "", name_of(run.tenant))["code"] == POLICY_VIOLATION
