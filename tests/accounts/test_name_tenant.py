"""The tenant comes from the credential; naming another one is for operators."""

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import Tenant, User
from tests.factories import PASSWORD, log_in, make_user

KEYS, USERS = "/api/v1/auth/api-keys", "/api/v1/auth/users"


@pytest.fixture
def operator(db: None) -> APIClient:
    """The platform operator's client."""
    return log_in(User.objects.create_superuser("root@example.com", PASSWORD))


def test_ones_own_tenant_may_be_named(api: APIClient, tenant: Tenant) -> None:
    assert api.get(KEYS, {"tenant_id": tenant.pk}, HTTP_X_TENANT_ID=tenant.pk).status_code == 200


def test_another_tenant_may_not(api: APIClient, other_tenant: Tenant) -> None:
    answers = [
        api.get(KEYS, HTTP_X_TENANT_ID=other_tenant.pk),
        api.get(KEYS, {"tenant_id": other_tenant.pk}),
        api.post(KEYS, {"name": "k", "tenant_id": other_tenant.pk}, format="json"),
        api.get(KEYS, HTTP_X_TENANT_ID="no-such-tenant"),
    ]
    assert [answer.json()["errorCode"] for answer in answers] == ["FORBIDDEN"] * 4


def test_an_operator_works_in_the_tenant_that_they_name(operator: APIClient, tenant: Tenant) -> None:
    user = make_user(tenant)
    listed = operator.get(USERS, HTTP_X_TENANT_ID=tenant.pk).json()["data"]
    assert [row["id"] for row in listed] == [str(user.pk)]


def test_an_operator_who_names_an_unknown_tenant_gets_404(operator: APIClient) -> None:
    assert operator.get(USERS, {"tenant_id": "nobody"}).status_code == 404
    assert operator.get(USERS + "?tenant_id=%00").status_code == 404


def test_an_operators_keys_stay_their_own(operator: APIClient, tenant: Tenant) -> None:
    key = operator.post(KEYS, {"name": "k", "tenant_id": tenant.pk}, format="json").json()["key"]
    me = APIClient().get("/api/v1/auth/me", HTTP_X_API_KEY=key).json()
    assert me["tenant_id"] == "operators"


ACCOUNT = [
    ("get", "/api/v1/auth/me", {}),
    ("patch", "/api/v1/auth/me", {"name": "Somebody else"}),
    ("put", "/api/v1/auth/me", {"name": "Somebody else"}),
    ("post", "/api/v1/auth/password", {"current_password": PASSWORD, "new_password": "another-Horse-8"}),
    ("post", "/api/v1/auth/logout", {"refresh_token": "any"}),
]


@pytest.mark.parametrize(("method", "path", "body"), ACCOUNT)
def test_nothing_of_an_account_changes_under_another_tenants_name(
    tenant: Tenant, other_tenant: Tenant, method: str, path: str, body: dict
) -> None:
    user = make_user(tenant)
    client = log_in(user)
    send = getattr(client, method)
    answers = [
        send(path, body or None, format="json", HTTP_X_TENANT_ID=other_tenant.pk),
        send(f"{path}?tenant_id={other_tenant.pk}", body or None, format="json"),
    ]
    if body:
        answers.append(send(path, body | {"tenant_id": other_tenant.pk}, format="json"))
    assert [answer.json()["errorCode"] for answer in answers] == ["FORBIDDEN"] * len(answers)
    after = User.objects.get(pk=user.pk)
    assert (after.name, after.password, after.stamp) == (user.name, user.password, user.stamp)
    assert client.get("/api/v1/auth/me", HTTP_X_TENANT_ID=tenant.pk).status_code == 200


def test_an_operators_account_stays_their_own(operator: APIClient, tenant: Tenant) -> None:
    named = {"HTTP_X_TENANT_ID": tenant.pk, "format": "json"}
    changed = operator.patch("/api/v1/auth/me", {"name": "Root"}, **named).json()
    assert (changed["name"], changed["tenant_id"]) == ("Root", "operators")
    words = {"current_password": PASSWORD, "new_password": "another-Horse-8"}
    session = operator.post("/api/v1/auth/password", words, **named)
    assert session.status_code == 200 and session.json()["user"]["tenant_id"] == "operators"


@pytest.mark.parametrize("value", [5, {"a": 1}, ["x"], True])
def test_a_name_that_is_no_text_is_refused(api: APIClient, value: object) -> None:
    answer = api.post(KEYS, {"name": "k", "tenant_id": value}, format="json")
    assert "tenant_id" in answer.json()["context"]["errors"]


def test_the_end_user_grants_nothing_and_has_a_length(api: APIClient, tenant: Tenant) -> None:
    admin = make_user(tenant, role="admin")
    assert api.get(USERS, HTTP_X_USER_ID=str(admin.pk)).status_code == 403
    assert "user_id" in api.get(KEYS, HTTP_X_USER_ID="x" * 129).json()["context"]["errors"]


@pytest.mark.parametrize("name", ["with space", "-dash", "späße", "a/b"])
def test_an_operator_makes_no_tenant_whose_id_nobody_could_register(db: None, name: str) -> None:
    pages = Client()
    pages.force_login(User.objects.create_superuser("root@example.com", PASSWORD))
    form = {"name": "X", "weight": "1"}
    answer = pages.post("/admin/accounts/tenant/add/", form | {"id": name})
    assert "letters, digits, dots" in answer.content.decode() and not Tenant.objects.filter(name="X").exists()
    assert pages.post("/admin/accounts/tenant/add/", form | {"id": "fine-1"}).status_code == 302
