"""Registering: who founds a tenant, who may join one, and what is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import Membership, Tenant, User
from tests.factories import PASSWORD, log_in, make_user

URL = "/api/v1/auth/register"


def register(client: APIClient, **body: Any) -> Any:
    return client.post(URL, {"email": "ann@example.com", "password": PASSWORD, "name": "Ann"} | body, format="json")


def test_the_founder_of_a_new_tenant_is_its_admin(anon: APIClient) -> None:
    body = register(anon, tenant_id="acme").json()
    assert {k: body["user"][k] for k in ("email", "name", "tenant_id", "role")} == {
        "email": "ann@example.com",
        "name": "Ann",
        "tenant_id": "acme",
        "role": "admin",
    }
    assert body["access_token"] and body["refresh_token"]


def test_founders_are_users_when_the_operator_wants_it_so(anon: APIClient, settings: Any) -> None:
    settings.FIRST_USER_ADMIN = False
    assert register(anon, tenant_id="acme").json()["user"]["role"] == "user"


def test_without_a_tenant_everybody_gets_one_of_their_own(anon: APIClient) -> None:
    one = register(anon).json()["user"]
    two = register(anon, email="bob@example.com", tenant_id=None).json()["user"]
    assert one["tenant_id"] != two["tenant_id"]


def test_an_existing_tenant_lets_nobody_in_uninvited(anon: APIClient, tenant: Tenant) -> None:
    answer = register(anon, tenant_id=tenant.pk)
    assert (answer.status_code, answer.json()["errorCode"]) == (403, "FORBIDDEN")
    assert not User.objects.exists()


def test_an_open_tenant_lets_everybody_in_as_user(anon: APIClient, tenant: Tenant) -> None:
    Tenant.objects.filter(pk=tenant.pk).update(open_registration=True)
    assert register(anon, tenant_id=tenant.pk).json()["user"]["role"] == "user"


@pytest.mark.parametrize("name", ["operators", "local"])
def test_the_platforms_own_tenants_cannot_be_founded(anon: APIClient, name: str) -> None:
    assert register(anon, tenant_id=name).status_code == 403


def test_an_address_registers_once_whatever_its_case(anon: APIClient) -> None:
    register(anon)
    answer = register(anon, email="ANN@example.com", tenant_id="second")
    assert answer.status_code == 400 and answer.json()["context"]["errors"]["email"]
    assert not Tenant.objects.filter(pk="second").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("password", "short7!"),
        ("password", "12345678"),
        ("password", "password"),
        ("password", 12345678),
        ("password", "x" * 257),
        ("email", "nobody"),
        ("email", ["a@example.com"]),
        ("tenant_id", "a b"),
        ("tenant_id", "../x"),
        ("tenant_id", "x" * 65),
        ("tenant_id", 7),
        ("name", {"first": "Ann"}),
    ],
)
def test_a_bad_field_is_named(anon: APIClient, field: str, value: Any) -> None:
    answer = register(anon, **{field: value})
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "VALIDATION_ERROR")
    assert list(answer.json()["context"]["errors"]) == [field]


def test_a_refused_password_is_not_repeated(anon: APIClient) -> None:
    assert "s3cr3T!" not in register(anon, password="s3cr3T!", email="s3cr3T!").content.decode()


def test_the_password_is_stored_as_a_hash(anon: APIClient) -> None:
    register(anon)
    assert PASSWORD not in User.objects.get().password


@pytest.mark.django_db(transaction=True)
def test_of_two_founders_at_once_one_founds_and_one_is_refused(at_once: Callable) -> None:
    numbers = iter(range(8))
    answers = at_once(lambda: register(APIClient(), email=f"u{next(numbers)}@example.com", tenant_id="acme"), 4)
    assert sorted(answer.status_code for answer in answers) == [201, 403, 403, 403]
    assert Membership.objects.for_tenant("acme").count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_registrations_of_one_address_at_once_one_wins(at_once: Callable) -> None:
    answers = at_once(lambda: register(APIClient()), 4)
    assert sorted(answer.status_code for answer in answers) == [201, 400, 400, 400]
    assert (User.objects.count(), Tenant.objects.count()) == (1, 1)


def test_the_founder_has_nothing_of_another_tenant(anon: APIClient, tenant: Tenant) -> None:
    make_user(tenant, role="admin")
    token = register(anon).json()["access_token"]
    listed = anon.get("/api/v1/auth/users", HTTP_AUTHORIZATION=f"Bearer {token}").json()
    assert [row["email"] for row in listed["data"]] == ["ann@example.com"]


# ---- OPEN_REGISTRATION=0


@pytest.fixture
def closed(settings: Any) -> None:
    """Nobody registers by themselves."""
    settings.OPEN_REGISTRATION = False


@pytest.mark.parametrize("body", [{}, {"tenant_id": "acme"}, {"tenant_id": "open"}, {"password": "x"}])
def test_where_registration_is_closed_nobody_comes_in_by_themselves(
    anon: APIClient, closed: None, body: dict[str, str]
) -> None:
    Tenant.objects.create(id="open", name="Open", open_registration=True)
    answer = register(anon, **body)
    assert (answer.status_code, answer.json()["errorCode"]) == (403, "REGISTRATION_CLOSED")
    assert "invitation" in answer.json()["message"]
    assert not User.objects.exists() and not Tenant.objects.filter(pk="acme").exists()


def test_where_registration_is_closed_invitations_and_admins_still_bring_people_in(
    anon: APIClient, admin: APIClient, closed: None
) -> None:
    code = admin.post("/api/v1/auth/invitations", {"role": "developer"}, format="json").json()["code"]
    assert register(anon, invitation=code).json()["user"]["role"] == "developer"
    body = {"email": "bob@example.com", "password": PASSWORD, "role": "user"}
    assert admin.post("/api/v1/auth/users", body, format="json").status_code == 201
    assert register(anon, email="eve@example.com", invitation="made-up").json()["errorCode"] == "FORBIDDEN"


def test_where_registration_is_closed_operators_found_tenants_and_nobody_else_does(
    admin: APIClient, closed: None
) -> None:
    operator = log_in(User.objects.create_superuser("root@example.com", PASSWORD))
    made = register(operator, tenant_id="customer")
    assert (made.status_code, made.json()["user"]["role"]) == (201, "admin")
    assert register(admin, email="eve@example.com", tenant_id="mine").status_code == 403
