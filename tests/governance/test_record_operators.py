"""What an operator changes in the admin is on the same record as what the API does."""

import pytest
from django.contrib import admin
from django.test import Client

from accounts.members import create_api_key
from accounts.models import ApiKey, Membership, Tenant, User
from governance.audit.admin_log import AuditedAdmin
from governance.models import AuditEntry
from tests.factories import PASSWORD, make_user

LOGIN = "/admin/login/"


@pytest.fixture
def operator(tenant: Tenant) -> User:
    """An operator, who is of no tenant."""
    return User.objects.create_superuser("root@example.com", PASSWORD)


@pytest.fixture
def pages(operator: User) -> Client:
    """The operator's browser."""
    browser = Client(HTTP_USER_AGENT="browser/1")
    assert browser.post(LOGIN, {"username": operator.email, "password": PASSWORD}).status_code == 302
    return browser


def entry(**filters: object) -> AuditEntry:
    """The one entry."""
    return AuditEntry.all_tenants.get(**filters)


def membership(member: Membership, **more: str) -> dict[str, str]:
    """A user's page as it is sent, with the tenant and role on it."""
    form = {"membership-TOTAL_FORMS": "1", "membership-INITIAL_FORMS": "1", "membership-MIN_NUM_FORMS": "1"}
    own = {"id": member.pk, "user": member.user_id, "tenant": member.tenant_id, "role": member.role}
    form |= {f"membership-0-{name}": str(value) for name, value in own.items()}
    user = member.user
    return form | {"email": user.email, "name": user.name, "is_active": "on"} | more


def test_a_new_role_is_kept_as_it_was_and_is(pages: Client, operator: User, tenant: Tenant) -> None:
    user = make_user(tenant, "user")
    member = Membership.all_tenants.get(user=user)
    page = f"/admin/accounts/user/{user.pk}/change/"
    response = pages.post(page, membership(member, **{"membership-0-role": "admin", "name": "Renamed"}))
    assert response.status_code == 302, response.content
    record = entry(action="update", resource_id=str(user.pk))
    assert record.before["membership.role"] == "user" and record.after["membership.role"] == "admin"
    assert record.after["name"] == "Renamed" and set(record.after) == {"membership.role", "name"}
    assert (record.tenant_id, record.user_id, record.resource_type) == (tenant.pk, operator.pk, "user")
    assert (record.user_agent, record.ip_address) == ("browser/1", "127.0.0.1")


def test_a_new_password_is_kept_without_itself(pages: Client, tenant: Tenant) -> None:
    user = make_user(tenant)
    new = "another-Pass-4711"
    pages.post(f"/admin/accounts/user/{user.pk}/password/", {"password1": new, "password2": new})
    record = entry(action="update", resource_id=str(user.pk))
    assert "password" in record.after and new not in str(record.after)


def test_a_new_tenant_and_its_share_are_kept(pages: Client) -> None:
    form = {"id": "made", "name": "Made", "weight": "3", "max_running": ""}
    assert pages.post("/admin/accounts/tenant/add/", form).status_code == 302
    pages.post("/admin/accounts/tenant/made/change/", form | {"weight": "5"})
    created, updated = AuditEntry.all_tenants.filter(tenant_id="made").order_by("pk")
    assert (created.action, created.after["name"]) == ("create", "Made")
    assert (updated.action, updated.before, updated.after) == ("update", {"weight": 3}, {"weight": 5})


@pytest.mark.parametrize("route", ["page", "list"])
def test_a_deleted_key_is_kept_without_its_secret(pages: Client, tenant: Tenant, route: str) -> None:
    row, secret = create_api_key(Membership.all_tenants.get(user=make_user(tenant)), "robot", ["read"])
    key = ApiKey.all_tenants.get(pk=row.pk)
    if route == "page":
        pages.post(f"/admin/accounts/apikey/{key.pk}/delete/", {"post": "yes"})
    else:
        form = {"action": "delete_selected", "_selected_action": str(key.pk), "post": "yes"}
        pages.post("/admin/accounts/apikey/", form)
    assert not ApiKey.all_tenants.filter(pk=key.pk).exists()
    record = entry(action="delete", resource_id=str(key.pk))
    assert (
        record.tenant_id == tenant.pk
        and record.before["name"] == "robot"
        and not [secret_text for secret_text in (secret, key.key_hash) if secret_text in str(record.before)]
    )


def test_who_comes_and_goes_and_who_tries_is_kept(pages: Client, operator: User, tenant: Tenant) -> None:
    member = make_user(tenant)
    pages.post("/admin/logout/")
    Client().post(LOGIN, {"username": member.email, "password": "Wrong-pass-123"})
    rows = AuditEntry.all_tenants.order_by("pk").values_list("action", "user_id", "tenant_id")
    assert list(rows) == [
        ("login", operator.pk, None),
        ("logout", operator.pk, None),
        ("failed_login", member.pk, tenant.pk),
    ]
    assert "Wrong-pass" not in str(list(AuditEntry.all_tenants.values()))


def test_a_move_is_kept_by_the_tenant_left_and_the_one_entered(
    pages: Client, tenant: Tenant, other_tenant: Tenant
) -> None:
    member = Membership.all_tenants.get(user=make_user(tenant))
    page = f"/admin/accounts/user/{member.user_id}/change/"
    assert pages.post(page, membership(member, **{"membership-0-tenant": other_tenant.pk})).status_code == 302
    record = AuditEntry.all_tenants.filter(action="update", resource_id=str(member.user_id))
    assert {one.tenant_id for one in record} == {tenant.pk, other_tenant.pk}
    assert {(one.before["membership.tenant"], one.after["membership.tenant"]) for one in record} == {
        (tenant.pk, other_tenant.pk)
    }


def test_a_membership_that_is_taken_away_is_kept_by_its_tenant(pages: Client, tenant: Tenant) -> None:
    member = Membership.all_tenants.get(user=make_user(tenant, "developer"))
    page = f"/admin/accounts/user/{member.user_id}/change/"
    assert pages.post(page, membership(member, **{"membership-0-DELETE": "on"})).status_code == 302
    record = entry(action="update", resource_id=str(member.user_id))
    assert record.tenant_id == tenant.pk and not Membership.all_tenants.filter(pk=member.pk).exists()
    assert (record.before["membership.role"], record.after["membership.role"]) == ("developer", None)


def test_what_is_saved_as_it_was_leaves_nothing(pages: Client, tenant: Tenant) -> None:
    member = Membership.all_tenants.get(user=make_user(tenant))
    assert pages.post(f"/admin/accounts/user/{member.user_id}/change/", membership(member)).status_code == 302
    assert not AuditEntry.all_tenants.filter(action="update").exists()


def test_every_page_of_the_admin_is_recorded() -> None:
    assert [page for page in admin.site._registry.values() if not isinstance(page, AuditedAdmin)] == []
