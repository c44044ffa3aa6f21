"""People edit their profile and password; admins their tenant."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import Tenant, User
from tests.factories import PASSWORD, log_in, make_user

ME, PASSWORD_URL, TENANT = "/api/v1/auth/me", "/api/v1/auth/password", "/api/v1/tenant"


@pytest.mark.parametrize("method", ["patch", "put"])
def test_a_profile_is_changed_in_part(tenant: Tenant, method: str) -> None:
    client = log_in(make_user(tenant, name="Old"))
    getattr(client, method)(ME, {"avatar_url": "https://example.com/a.png"}, format="json")
    me = client.get(ME).json()
    assert (me["name"], me["avatar_url"]) == ("Old", "https://example.com/a.png")


def test_nobody_raises_themselves(api: APIClient, tenant: Tenant) -> None:
    body = {"role": "admin", "tenant_id": tenant.pk, "is_staff": True, "email": "x@example.com", "name": "N"}
    api.patch(ME, body, format="json")
    me = api.get(ME).json()
    assert (me["role"], me["name"]) == ("developer", "N") and me["email"] != "x@example.com"


@pytest.mark.parametrize(
    ("field", "value"),
    [("avatar_url", "javascript:alert(1)"), ("avatar_url", "ftp://x.example/a"), ("avatar_url", 1), ("name", None)],
)
def test_a_bad_field_is_named(api: APIClient, field: str, value: Any) -> None:
    answer = api.patch(ME, {field: value}, format="json")
    assert answer.status_code == 400 and list(answer.json()["context"]["errors"]) == [field]


def test_a_new_password_ends_every_session_but_opens_one(tenant: Tenant) -> None:
    user = make_user(tenant)
    here, elsewhere = log_in(user), log_in(user)
    body = {"current_password": PASSWORD, "new_password": "another-Horse-8"}
    answer = here.post(PASSWORD_URL, body, format="json")
    assert answer.status_code == 200
    assert [client.get(ME).status_code for client in (here, elsewhere)] == [401, 401]
    here.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access_token']}")
    assert here.get(ME).status_code == 200
    assert User.objects.get(pk=user.pk).check_password("another-Horse-8")


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("current_password", {"current_password": "wrong-Horse-7", "new_password": "another-Horse-8"}),
        ("new_password", {"current_password": PASSWORD, "new_password": "short"}),
        ("new_password", {"current_password": PASSWORD}),
    ],
)
def test_a_new_password_needs_the_old_one_and_strength(api: APIClient, field: str, body: dict) -> None:
    answer = api.post(PASSWORD_URL, body, format="json")
    assert answer.status_code == 400 and list(answer.json()["context"]["errors"]) == [field]


@pytest.mark.parametrize("method", ["patch", "put"])
def test_an_admin_opens_the_tenant(admin: APIClient, tenant: Tenant, method: str) -> None:
    getattr(admin, method)(TENANT, {"open_registration": True, "id": "other"}, format="json")
    body = admin.get(TENANT).json()
    assert (body["id"], body["name"], body["open_registration"]) == (tenant.pk, tenant.name, True)


def test_only_admins_see_and_change_the_tenant(api: APIClient) -> None:
    assert [api.get(TENANT).status_code, api.patch(TENANT, {}, format="json").status_code] == [403, 403]


@pytest.mark.parametrize(("field", "value"), [("open_registration", "yes"), ("open_registration", 1), ("name", "")])
def test_a_bad_setting_is_named(admin: APIClient, field: str, value: Any) -> None:
    answer = admin.patch(TENANT, {field: value}, format="json")
    assert answer.status_code == 400 and list(answer.json()["context"]["errors"]) == [field]
