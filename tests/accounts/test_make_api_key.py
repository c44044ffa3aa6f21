"""API keys: made, listed, revoked; from the API and from the command line."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from accounts.models import ApiKey, Tenant
from tests.factories import log_in, make_user

KEYS = "/api/v1/auth/api-keys"


def make(client: APIClient, **body: Any) -> Any:
    return client.post(KEYS, {"name": "k", "permissions": ["read", "write"]} | body, format="json")


def test_the_key_is_shown_once_and_kept_as_a_hash(api: APIClient) -> None:
    body = make(api, expires_at="2099-12-31T23:59:59Z").json()
    assert body["key"].startswith("llm_") and len(body["key"]) >= 47
    assert body["expires_at"] == "2099-12-31T23:59:59.000000Z"
    assert body["key"] not in api.get(KEYS).content.decode()
    assert ApiKey.all_tenants.get().key_hash not in body["key"]


def test_a_key_may_only_read_when_nothing_is_said(api: APIClient) -> None:
    assert api.post(KEYS, {"name": "k"}, format="json").json()["permissions"] == ["read"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("permissions", ["root"]),
        ("permissions", []),
        ("permissions", "read"),
        ("permissions", [1]),
        ("expires_at", "2001-01-01T00:00:00Z"),
        ("expires_at", "soon"),
        ("expires_at", 4102444800),
        ("expires_at", "0001-01-01T00:00:00+23:59"),
        ("name", ""),
        ("name", None),
        ("name", "x" * 256),
    ],
)
def test_a_bad_field_is_named(api: APIClient, field: str, value: Any) -> None:
    answer = make(api, **{field: value})
    assert answer.status_code == 400
    assert next(iter(answer.json()["context"]["errors"])).startswith(field)


def test_people_see_their_own_keys_only(api: APIClient, tenant: Tenant) -> None:
    make(api)
    assert log_in(make_user(tenant)).get(KEYS).json() == []


def test_a_revoked_key_is_refused_at_once(api: APIClient) -> None:
    made = make(api).json()
    assert [api.post(f"{KEYS}/{made['id']}/revoke").status_code for _ in range(2)] == [200, 200]
    assert APIClient().get(KEYS, HTTP_X_API_KEY=made["key"]).status_code == 401


def test_a_colleague_cannot_revoke_a_key_but_an_admin_can(api: APIClient, admin: APIClient, tenant: Tenant) -> None:
    path = f"{KEYS}/{make(api).json()['id']}/revoke"
    assert log_in(make_user(tenant)).post(path).status_code == 404
    assert admin.post(path).status_code == 200


def test_other_tenant_gets_404(api: APIClient, other_tenant: Tenant) -> None:
    path = f"{KEYS}/{make(api).json()['id']}/revoke"
    assert log_in(make_user(other_tenant, role="admin")).post(path).status_code == 404


@pytest.mark.parametrize("name", ["x", "%00", "00000000-0000-4000-8000-000000000000", "é", "1" * 300])
def test_an_unknown_or_malformed_id_is_404(api: APIClient, name: str) -> None:
    assert api.post(f"{KEYS}/{name}/revoke").status_code == 404


def test_the_command_prints_a_key_that_works(tenant: Tenant) -> None:
    user, out = make_user(tenant), StringIO()
    call_command("create_api_key", user.email, "--permissions", "read", "write", "--days", "7", "--json", stdout=out)
    shown = json.loads(out.getvalue())
    assert shown["permissions"] == ["read", "write"] and shown["expires_at"].endswith("Z")
    assert APIClient().get("/api/v1/auth/me", HTTP_X_API_KEY=shown["key"]).json()["email"] == user.email


def test_the_command_refuses_an_unknown_address(db: None) -> None:
    with pytest.raises(CommandError, match="nobody@example.com"):
        call_command("create_api_key", "nobody@example.com")
