"""A tenant's admins add users, change them, and cannot lose the last of their own."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import Membership, Tenant, User
from tests.factories import PASSWORD, log_in, make_user

USERS = "/api/v1/auth/users"


def change(client: APIClient, user: User, **body: Any) -> Any:
    return client.patch(f"{USERS}/{user.pk}", body, format="json")


def test_an_added_user_logs_in_with_their_role(admin: APIClient, tenant: Tenant) -> None:
    body = {"email": "New@example.com", "password": PASSWORD, "name": "New", "role": "developer"}
    made = admin.post(USERS, body, format="json")
    assert made.status_code == 201 and PASSWORD not in made.content.decode()
    me = log_in(User.objects.get(email="new@example.com")).get("/api/v1/auth/me").json()
    assert (me["role"], me["tenant_id"]) == ("developer", tenant.pk)


def test_viewer_is_another_word_for_user(admin: APIClient) -> None:
    body = {"email": "new@example.com", "password": PASSWORD, "role": "viewer"}
    assert admin.post(USERS, body, format="json").json()["role"] == "user"


def test_the_list_is_a_page_of_this_tenants_users(admin: APIClient, tenant: Tenant, other_tenant: Tenant) -> None:
    make_user(tenant)
    make_user(other_tenant)
    body = admin.get(USERS, {"limit": 1, "page": 2}).json()
    assert body["meta"] == {"page": 2, "limit": 1, "total": 2, "totalPages": 2, "totalIsExact": True}
    assert [row["role"] for row in body["data"]] == ["user"]


@pytest.mark.parametrize("role", ["user", "developer"])
def test_only_admins_see_and_change_users(tenant: Tenant, role: str) -> None:
    user = make_user(tenant, role=role)
    client = log_in(user)
    answers = [client.get(USERS), client.post(USERS, {}, format="json"), change(client, user, role="admin")]
    assert [answer.json()["errorCode"] for answer in answers] == ["FORBIDDEN"] * 3


def test_a_new_role_counts_at_once(admin: APIClient, tenant: Tenant) -> None:
    user = make_user(tenant)
    client = log_in(user)
    assert change(admin, user, role="admin", name="Risen").json()["name"] == "Risen"
    assert client.get(USERS).status_code == 200


def test_put_changes_in_part_like_patch(admin: APIClient, tenant: Tenant) -> None:
    user = make_user(tenant, name="Old")
    body = admin.put(f"{USERS}/{user.pk}", {"role": "developer"}, format="json").json()
    assert (body["role"], body["name"]) == ("developer", "Old")


def test_a_deactivated_users_tokens_and_keys_end_for_good(admin: APIClient, tenant: Tenant) -> None:
    user = make_user(tenant)
    client = log_in(user)
    change(admin, user, is_active=False)
    assert client.get("/api/v1/auth/me").status_code == 401
    change(admin, user, is_active=True)
    assert client.get("/api/v1/auth/me").status_code == 401
    assert log_in(user).get("/api/v1/auth/me").status_code == 200


@pytest.mark.parametrize("body", [{"role": "developer"}, {"is_active": False}])
def test_the_last_admin_stays(admin: APIClient, tenant: Tenant, body: dict) -> None:
    last = Membership.objects.for_tenant(tenant).get(role="admin").user
    gone = make_user(tenant, role="admin")
    User.objects.filter(pk=gone.pk).update(is_active=False)
    answer = change(admin, last, **body)
    assert (answer.status_code, answer.json()["errorCode"]) == (409, "CONFLICT")
    User.objects.filter(pk=gone.pk).update(is_active=True)
    assert change(admin, last, **body).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_two_admins_who_step_down_at_once_one_stays(tenant: Tenant, at_once: Callable) -> None:
    admins = [make_user(tenant, role="admin") for _ in range(2)]
    clients = [(log_in(user), user) for user in admins]

    def step_down() -> Any:
        client, user = clients.pop()
        return change(client, user, role="user")

    assert sorted(answer.status_code for answer in at_once(step_down, 2)) == [200, 409]


def test_other_tenant_gets_404(admin: APIClient, other_tenant: Tenant) -> None:
    assert change(admin, make_user(other_tenant), role="admin").status_code == 404
    assert admin.patch(f"{USERS}/no-uuid", {"role": "user"}, format="json").status_code == 404


@pytest.mark.parametrize(
    ("field", "value"), [("role", "root"), ("role", 1), ("is_active", "no"), ("is_active", 0), ("name", 5)]
)
def test_a_bad_field_is_named(admin: APIClient, tenant: Tenant, field: str, value: Any) -> None:
    answer = change(admin, make_user(tenant), **{field: value})
    assert answer.status_code == 400 and list(answer.json()["context"]["errors"]) == [field]


def test_a_used_address_cannot_be_added(admin: APIClient, tenant: Tenant) -> None:
    body = {"email": make_user(tenant).email, "password": PASSWORD}
    assert "email" in admin.post(USERS, body, format="json").json()["context"]["errors"]
