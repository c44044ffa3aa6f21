"""Requests through PgBouncer, which drops start-up options: in every transaction the role is the request's, whatever
session it is given.
"""

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, NotSupportedError, connection, transaction
from django.test import Client
from psycopg import sql

from accounts.models import Tenant
from accounts.tenancy.tenant_model import APP, WORKER, as_owner, bind, everywhere, request_scope
from config.database import prepared_statements
from config.database.roles import WrongRole
from orchestration.models import Workflow
from tests.factories import make_tenant, make_user, make_workflow, token_of
from tests.pooler import needs_pgbouncer, own_folder, pooler

pytestmark = [
    needs_pgbouncer,
    pytest.mark.skipif(bool(os.environ.get("DATABASE_URL")), reason="the tests' own PostgreSQL is not ours to pool"),
    pytest.mark.django_db(transaction=True),
]
WHO = "SELECT current_user"
ALL = "SELECT count(*) FROM orchestration_workflow"
CLIENTS, ROUNDS = 6, 15


@pytest.fixture
def two(transactional_db: None) -> tuple[Tenant, Tenant]:
    """Two tenants with a workflow each."""
    tenants = make_tenant(), make_tenant()
    for tenant in tenants:
        make_workflow(tenant)
    return tenants


@pytest.fixture(params=["transaction", "session"])
def pooled(request: pytest.FixtureRequest, two: tuple[Tenant, Tenant]) -> Iterator[tuple[Tenant, Tenant]]:
    """The two tenants; connections are made as the web's are, through a pooler."""
    with pooler(own_folder(), request.param, sessions=3 if request.param == "transaction" else 20) as bouncer:
        yield from web_connections(two, HOST=bouncer.host, PORT=bouncer.port)


@pytest.fixture
def web(two: tuple[Tenant, Tenant]) -> Iterator[tuple[Tenant, Tenant]]:
    """The same without a pooler."""
    yield from web_connections(two)


def web_connections(two: tuple[Tenant, Tenant], **address: Any) -> Iterator[tuple[Tenant, Tenant]]:
    """The two tenants, while connections are made to this address and work as the web does."""
    connection.close()
    before, role = dict(connection.settings_dict), settings.DATABASE_ROLE
    connection.settings_dict.update(address)
    settings.DATABASE_ROLE = APP
    try:
        yield two
    finally:
        connection.close()
        connection.settings_dict.clear()
        connection.settings_dict.update(before)
        settings.DATABASE_ROLE = role


def value(statement: Any, *values: Any) -> Any:
    """The first column of the first row."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchone()[0]


def in_threads(work: Callable[[int], None]) -> None:
    """Do the work in several threads at once; what fails in one of them fails here."""
    failures: list[BaseException] = []

    def one(number: int) -> None:
        try:
            work(number)
        except BaseException as failure:
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=[number]) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def check_roles(tenants: tuple[Tenant, Tenant]) -> None:
    """Each way in which a statement can be sent has the role that it should have."""
    assert value(WHO) == APP and value(ALL) == 0
    assert value(sql.SQL("SELECT current_user WHERE {} = 1").format(sql.Literal(1))) == APP
    assert prepared_statements.execute(WHO + ", %s::text", ["outside"]) == (APP, "outside")
    assert [row.pk for row in Workflow.all_tenants.iterator()] == []
    with request_scope():
        assert prepared_statements.execute(WHO + ", %s::text", ["inside"]) == (APP, "inside")
        assert value(ALL) == 0
        bind(tenants[0].pk)
        assert value(ALL) == 1
        with everywhere():
            assert value(WHO) == WORKER
            assert value(ALL) == 2
        assert value(WHO) == APP
        assert {row.tenant_id for row in Workflow.all_tenants.iterator()} == {tenants[0].pk}
    assert value(ALL) == 0, "a tenant ends with its transaction"


def test_whatever_way_a_statement_goes_it_goes_as_the_role(pooled: tuple[Tenant, Tenant]) -> None:
    check_roles(pooled)


def test_the_same_without_a_pooler(web: tuple[Tenant, Tenant]) -> None:
    check_roles(web)


def test_rows_are_written_and_counted_without_a_transaction_too(pooled: tuple[Tenant, Tenant]) -> None:
    settings.DATABASE_ROLE = WORKER
    flows = Workflow.objects.for_tenant(pooled[0])
    made = Tenant.objects.create(id="made-outside", name="%s")
    assert flows.update(name="100 % sure") == 1
    assert [flow.name for flow in flows] == ["100 % sure"]
    assert (made.delete()[0], flows.count(), value(ALL)) == (1, 1, 2)


def test_savepoints_and_failures_leave_the_role_as_it_was(pooled: tuple[Tenant, Tenant]) -> None:
    with request_scope():
        bind(pooled[1].pk)
        with pytest.raises(ZeroDivisionError), transaction.atomic(), everywhere():
            assert value(WHO) == WORKER
            raise ZeroDivisionError
        assert (value(WHO), value(ALL)) == (APP, 1)
        with pytest.raises(DatabaseError), transaction.atomic(), everywhere():
            value("SELECT 1 / 0")
        assert (value(WHO), value(ALL)) == (APP, 1)
        with everywhere():
            with pytest.raises(DatabaseError), transaction.atomic():
                value("SELECT 1 / 0")
            assert value(WHO) == WORKER
        with as_owner():
            assert value(WHO) not in (APP, WORKER)
        assert (value(WHO), value(ALL)) == (APP, 1)
    with pytest.raises(DatabaseError):
        value("SELECT 1 / 0")
    with pytest.raises(DatabaseError):
        prepared_statements.execute("SELECT 1 / %s::int", [0])
    assert prepared_statements.execute("SELECT 1 / %s::int", [1]) == (1,)
    assert (value(WHO), value(ALL)) == (APP, 0)


def test_what_runs_after_the_commit_runs_as_the_role(pooled: tuple[Tenant, Tenant]) -> None:
    seen: list[Any] = []
    with request_scope(), everywhere():
        transaction.on_commit(lambda: seen.append((value(WHO), value(ALL))))
    with everywhere():
        transaction.on_commit(lambda: seen.append((value(WHO), value(ALL))))
    assert seen == [(APP, 0), (APP, 0)]


def test_what_cannot_take_its_role_along_is_refused_outside_of_a_transaction(pooled: tuple[Tenant, Tenant]) -> None:
    with connection.cursor() as cursor:
        with pytest.raises(NotSupportedError, match="needs a transaction"):
            cursor.executemany(WHO, [(), ()])
        with pytest.raises(NotSupportedError, match="needs a transaction"), cursor.copy("COPY (SELECT 1) TO STDOUT"):
            pass


def test_a_session_that_somebody_has_bound_binds_nobody_else(pooled: tuple[Tenant, Tenant]) -> None:
    """A pooler hands on what one of its clients has set; a transaction says itself what holds in it."""
    connection.close()
    settings.DATABASE_ROLE = ""
    for _ in range(3):
        value("SELECT set_config('regente.tenant', %s, false)", pooled[0].pk)
        value("SELECT set_config('role', %s, false)", WORKER)
    connection.close()
    settings.DATABASE_ROLE = APP
    check_roles(pooled)


def test_requests_at_the_same_time_see_their_own_tenant_alone(
    pooled: tuple[Tenant, Tenant], monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration.views.workflows import WorkflowViewSet

    users: list[str] = []

    def rows(self: Any) -> Any:  # a view that forgets its filter
        users.append(value(WHO))
        return Workflow.all_tenants.order_by("pk")

    monkeypatch.setattr(WorkflowViewSet, "get_queryset", rows)
    with everywhere():
        known = {tenant.pk: {str(row.pk) for row in Workflow.objects.for_tenant(tenant)} for tenant in pooled}
        tokens = [(tenant.pk, token_of(make_user(tenant))) for tenant in pooled]

    def ask(number: int) -> None:
        tenant_id, token = tokens[number % 2]
        for _ in range(ROUNDS):
            answer = Client().get("/api/v1/workflows", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200, answer.content
            assert {row["id"] for row in answer.json()["data"]} == known[tenant_id]

    in_threads(ask)
    assert len(users) >= CLIENTS * ROUNDS and set(users) == {APP}


def test_statements_with_names_are_not_mixed_up(pooled: tuple[Tenant, Tenant]) -> None:
    def ask(number: int) -> None:
        for turn in range(ROUNDS):
            first = prepared_statements.execute(f"SELECT %s::text || '-{number}'", [turn])
            with transaction.atomic():
                second = prepared_statements.execute(f"SELECT '{number}-' || %s::text", [turn])
            assert (first, second) == ((f"{turn}-{number}",), (f"{number}-{turn}",))

    in_threads(ask)


@pytest.fixture
def change_role(web: tuple[Tenant, Tenant]) -> Iterator[Callable[[str], None]]:
    """Lets the owner change the role APP; afterwards it is as it was."""

    def as_superuser(statement: str) -> None:
        settings.DATABASE_ROLE = ""
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()
        settings.DATABASE_ROLE = APP

    yield as_superuser
    as_superuser(f"ALTER ROLE {APP} NOBYPASSRLS")


def test_a_role_that_sees_too_much_serves_nobody_and_readyz_says_so(change_role: Callable[[str], None]) -> None:
    change_role(f"ALTER ROLE {APP} BYPASSRLS")
    with pytest.raises(WrongRole, match="sees past row-level security"):
        value(WHO)
    assert connection.connection is None
    answer = Client().post("/api/v1/auth/login", {"email": "a@example.com", "password": "x"}, "application/json")
    assert answer.status_code == 503
    assert "ALTER ROLE regente_app NOSUPERUSER NOBYPASSRLS" in str(answer.json()), answer.content
    body = Client().get("/readyz").json()
    assert body["status"] == "unavailable" and "NOBYPASSRLS" in body["problems"]["isolation"]


def test_without_its_role_nothing_is_served(web: tuple[Tenant, Tenant]) -> None:
    connection.close()
    settings.DATABASE_ROLE = "regente_nobody"
    with pytest.raises(WrongRole, match="no role regente_nobody: prepare it first"):
        value(WHO)
    ready = Client().get("/readyz")
    assert ready.status_code == 503 and "no role regente_nobody" in ready.json()["problems"]["isolation"]
