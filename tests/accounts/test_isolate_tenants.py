"""PostgreSQL keeps tenants apart by itself: with no filter of ours a request's role sees one tenant's rows, or none."""

from contextlib import nullcontext

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import ApiKey, Membership, Tenant
from accounts.tenancy.isolation import tenant_tables
from accounts.tenancy.tenant_model import APP, SETTING, WORKER, bind, everywhere, request_scope
from governance.models import AuditEntry, Policy
from orchestration.models import Workflow
from tests.factories import log_in, make_tenant, make_user, make_workflow


def asked(query: str, *values: object) -> list[tuple]:
    """The query's rows."""
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()


@pytest.mark.parametrize("model", tenant_tables(), ids=lambda model: model._meta.db_table)
def test_every_tenant_table_is_isolated_for_everybody(db: None, model: type) -> None:
    table = model._meta.db_table
    forced = asked("SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass", table)
    assert forced == [(True, True)]
    policies = dict(
        asked("SELECT policyname, qual FROM pg_policies WHERE tablename = %s AND %s = ANY(roles)", table, APP)
    )
    own = policies.pop("tenant_rows")
    assert "tenant_id" in own and f"current_setting('{SETTING}'" in own
    assert set(policies) == ({"shared_rows"} if model.shared_rows else set())


def test_no_table_with_a_tenant_is_forgotten(db: None) -> None:
    found = asked(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'tenant_id'"
    )
    assert {name for (name,) in found} == {model._meta.db_table for model in tenant_tables()}


def test_the_roles_may_do_nothing_special(db: None) -> None:
    rows = asked(
        "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname IN (%s, %s)",
        *(APP, WORKER),
    )
    assert sorted(rows) == [(APP, False, False, False, False), (WORKER, False, False, False, False)]
    owned = asked("SELECT count(*) FROM pg_class WHERE relowner::regrole::text IN (%s, %s)", APP, WORKER)
    assert owned == [(0,)]


@pytest.fixture
def two(tenant: Tenant, other_tenant: Tenant) -> tuple[Tenant, Tenant]:
    """Two tenants with a workflow each."""
    make_workflow(tenant)
    make_workflow(other_tenant)
    return tenant, other_tenant


def test_without_a_tenant_there_are_no_rows_and_with_one_there_are_its_own(two: tuple[Tenant, Tenant]) -> None:
    with request_scope():
        assert not Workflow.all_tenants.exists()
        for tenant in two:
            bind(tenant.pk)
            assert {row.tenant_id for row in Workflow.all_tenants.all()} == {tenant.pk}
        with everywhere():
            assert {row.tenant_id for row in Workflow.all_tenants.all()} == {tenant.pk for tenant in two}
        assert {row.tenant_id for row in Workflow.all_tenants.all()} == {two[1].pk}


def test_another_tenants_rows_cannot_be_written(two: tuple[Tenant, Tenant]) -> None:
    mine, other = two
    with request_scope():
        bind(mine.pk)
        assert Workflow.all_tenants.filter(tenant=other).update(name="taken") == 0
        assert Workflow.all_tenants.filter(tenant=other).delete()[0] == 0
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            Policy.all_tenants.create(tenant=other, name="p", scope="tenant", rule_expr={})
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            Workflow.all_tenants.update(tenant=other)


def test_a_global_policy_is_seen_and_not_written(two: tuple[Tenant, Tenant]) -> None:
    rule = {"condition": {}, "effect": "deny"}
    made = Policy.all_tenants.create(tenant=None, name="g", scope="global", rule_expr=rule, enabled=False)
    with request_scope():
        bind(two[0].pk)
        assert Policy.all_tenants.filter(pk=made.pk).exists()
        assert Policy.all_tenants.filter(pk=made.pk).update(enabled=True) == 0


@pytest.mark.parametrize("role", [APP, WORKER])
@pytest.mark.parametrize("statement", ["UPDATE {} SET action = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
def test_neither_role_may_change_the_audit_log(db: None, role: str, statement: str) -> None:
    with request_scope(role), pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        asked(statement.format(AuditEntry._meta.db_table))


def test_a_tenant_ends_with_its_transaction(transactional_db: None) -> None:
    tenant = make_tenant()
    make_workflow(tenant)
    for ending in (nullcontext(), pytest.raises(ZeroDivisionError)):
        with ending, request_scope():
            bind(tenant.pk)
            assert Workflow.all_tenants.exists()
            if not isinstance(ending, nullcontext):
                raise ZeroDivisionError
        with request_scope():
            assert asked("SELECT current_user, coalesce(current_setting(%s, true), '')", SETTING) == [(APP, "")]
            assert not Workflow.all_tenants.exists()


def test_a_view_that_forgets_its_filter_shows_nothing_foreign(
    two: tuple[Tenant, Tenant], monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration.views.workflows import WorkflowViewSet

    monkeypatch.setattr(WorkflowViewSet, "get_queryset", lambda self: Workflow.all_tenants.order_by("pk"))
    mine, other = two
    api = log_in(make_user(mine, "admin"))
    foreign = Workflow.all_tenants.get(tenant=other)
    assert [row["id"] for row in api.get("/api/v1/workflows").json()["data"]] == [
        str(Workflow.all_tenants.get(tenant=mine).pk)
    ]
    assert api.get(f"/api/v1/workflows/{foreign.pk}").status_code == 404
    assert api.delete(f"/api/v1/workflows/{foreign.pk}").status_code == 404


def test_the_way_in_finds_members_before_there_is_a_tenant(tenant: Tenant) -> None:
    user = make_user(tenant)
    with request_scope():
        assert not Membership.all_tenants.exists() and not ApiKey.all_tenants.exists()
        found = asked("SELECT tenant_id FROM accounts_member_of_token(%s, %s)", user.pk, user.stamp)
        assert found == [(tenant.pk,)]
        assert asked("SELECT tenant_id FROM accounts_member_of_token(%s, 'x')", user.pk) == []
