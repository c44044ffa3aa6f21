"""Invitations: an admin's code lets one person into the tenant, once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Invitation, Tenant
from tests.factories import PASSWORD, log_in, make_user

URL = "/api/v1/auth/invitations"


def invite(admin: APIClient, **body: Any) -> dict[str, Any]:
    answer = admin.post(URL, body, format="json")
    assert answer.status_code == 201, answer.content
    return answer.json()


def join(code: str, email: str = "guest@example.com", **body: Any) -> Any:
    fields = {"email": email, "password": PASSWORD, "name": "G", "invitation": code} | body
    return APIClient().post("/api/v1/auth/register", fields, format="json")


def test_the_guest_joins_with_the_role_of_the_invitation(admin: APIClient, tenant: Tenant) -> None:
    made = invite(admin, role="developer")
    assert {"id", "code", "role", "expires_at"} <= set(made)
    user = join(made["code"]).json()["user"]
    assert (user["tenant_id"], user["role"]) == (tenant.pk, "developer")


def test_a_code_is_good_once(admin: APIClient) -> None:
    code = invite(admin)["code"]
    assert [join(code, f"g{n}@example.com").status_code for n in range(2)] == [201, 403]


@pytest.mark.django_db(transaction=True)
def test_of_many_who_use_a_code_at_once_one_joins(admin: APIClient, at_once: Callable) -> None:
    code, numbers = invite(admin)["code"], iter(range(9))
    answers = at_once(lambda: join(code, f"g{next(numbers)}@example.com"), 4)
    assert sorted(answer.status_code for answer in answers) == [201, 403, 403, 403]


def test_a_refused_registration_leaves_the_code_good(admin: APIClient, tenant: Tenant) -> None:
    code = invite(admin)["code"]
    assert join(code, make_user(tenant).email).status_code == 400
    assert join(code).status_code == 201


def test_a_code_for_an_address_is_good_for_that_address_only(admin: APIClient) -> None:
    code = invite(admin, email="Guest@example.com")["code"]
    assert join(code, "other@example.com").status_code == 403
    assert join(code, "guest@example.com").status_code == 201


def test_an_expired_or_unknown_code_lets_nobody_in(admin: APIClient) -> None:
    code = invite(admin, expires_in_s=60)["code"]
    Invitation.all_tenants.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert join(code).status_code == join("made-up").status_code == 403


def test_a_code_does_not_open_another_tenant(admin: APIClient, other_tenant: Tenant) -> None:
    assert join(invite(admin)["code"], tenant_id=other_tenant.pk).status_code == 403


def test_the_list_shows_no_code_and_no_other_tenants(admin: APIClient, other_tenant: Tenant) -> None:
    code = invite(admin)["code"]
    invite(log_in(make_user(other_tenant, role="admin")))
    listed = admin.get(URL)
    assert listed.json()["meta"]["total"] == 1 and code not in listed.content.decode()


@pytest.mark.parametrize("role", ["user", "developer"])
def test_only_admins_invite(tenant: Tenant, role: str) -> None:
    assert log_in(make_user(tenant, role=role)).post(URL, {}, format="json").status_code == 403


@pytest.mark.parametrize(
    ("field", "value"),
    [("role", "root"), ("email", "x"), ("expires_in_s", 1), ("expires_in_s", "60"), ("expires_in_s", True)],
)
def test_a_bad_field_is_named(admin: APIClient, field: str, value: Any) -> None:
    answer = admin.post(URL, {field: value}, format="json")
    assert answer.status_code == 400 and list(answer.json()["context"]["errors"]) == [field]
