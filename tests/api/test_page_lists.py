"""Lists: pages and arrays, clamped at both ends."""

import re
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import Tenant
from orchestration.models import App, Run
from tests.factories import log_in, make_user

KEYS, USERS = "/api/v1/auth/api-keys", "/api/v1/auth/users"


@pytest.fixture
def keys(api: APIClient) -> list[str]:
    """The ids of five API keys, the newest first."""
    return [api.post(KEYS, {"name": f"k{n}"}, format="json").json()["id"] for n in range(5)][::-1]


@pytest.fixture
def boss(tenant: Tenant) -> APIClient:
    """An admin with four colleagues."""
    for _ in range(4):
        make_user(tenant)
    return log_in(make_user(tenant, role="admin"))


def test_an_array_has_its_total_in_a_header(api: APIClient, keys: list[str]) -> None:
    answer = api.get(KEYS, {"limit": 2, "offset": 1})
    assert [row["id"] for row in answer.json()] == keys[1:3]
    assert answer["X-Total-Count"] == "5"


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ({}, 5),
        ({"limit": 0}, 1),
        ({"limit": -5}, 1),
        ({"limit": 10**30}, 5),
        ({"offset": -1}, 5),
        ({"offset": 10**30}, 0),
    ],
)
def test_an_array_is_clamped(api: APIClient, keys: list[str], query: dict[str, int], number: int) -> None:
    assert len(api.get(KEYS, query).json()) == number


@pytest.mark.parametrize(
    ("query", "meta"),
    [
        ({}, {"page": 1, "limit": 20, "total": 5, "totalPages": 1, "totalIsExact": True}),
        ({"limit": 2, "page": 3}, {"page": 3, "limit": 2, "total": 5, "totalPages": 3, "totalIsExact": True}),
        ({"limit": 2, "page": 99}, {"page": 3, "limit": 2, "total": 5, "totalPages": 3, "totalIsExact": True}),
        ({"limit": 0, "page": -3}, {"page": 1, "limit": 1, "total": 5, "totalPages": 5, "totalIsExact": True}),
        (
            {"limit": 10**30, "page": 10**30},
            {"page": 1, "limit": 1000, "total": 5, "totalPages": 1, "totalIsExact": True},
        ),
        ({"limit": "", "page": ""}, {"page": 1, "limit": 20, "total": 5, "totalPages": 1, "totalIsExact": True}),
    ],
)
def test_a_page_is_clamped(boss: APIClient, query: dict[str, Any], meta: dict[str, int]) -> None:
    assert boss.get(USERS, query).json()["meta"] == meta


@pytest.mark.parametrize("value", ["x", "1.5", "1e3", "0x1", "--1", "\x00"])
@pytest.mark.parametrize("name", ["page", "limit"])
def test_what_is_no_number_is_refused_by_name(boss: APIClient, name: str, value: str) -> None:
    answer = boss.get(USERS, {name: value})
    assert answer.status_code == 400 and list(answer.json()["context"]["errors"]) == [name]


def test_an_empty_list_is_a_page_too(tenant: Tenant, boss: APIClient) -> None:
    body = boss.get("/api/v1/auth/invitations", {"page": 7}).json()
    assert body == {"data": [], "meta": {"page": 1, "limit": 20, "total": 0, "totalPages": 0, "totalIsExact": True}}


@pytest.fixture
def arrays(tenant: Tenant, boss: APIClient) -> list[str]:
    """The URL of every bare array of rows that the document knows and that these rows have."""
    run = Run.all_tenants.create(tenant=tenant, kind="workflow", status="completed")
    input = {"initial_prompt": "x", "workflow_definition": {"type": "sequential", "agents": []}}
    execution = Run.all_tenants.create(tenant=tenant, kind="team", subject_id="t", input=input, status="completed")
    file = boss.post("/api/v1/files", {"path": "a.txt", "content": "YQ=="}, format="json").json()["id"]
    app = App.all_tenants.create(tenant=tenant, key="app", name="App")
    ids = {"runs": run.pk, "executions": execution.pk, "files": file, "apps": app.key}
    found = []
    for path, operations in Client().get("/openapi.json").json()["paths"].items():
        names = {parameter["name"] for parameter in operations.get("get", {}).get("parameters", ())}
        if {"limit", "offset"} <= names and path not in ("/tasks", "/api/v1/audit/logs"):
            before = path.partition("{")[0].rstrip("/").rpartition("/")[2]
            found.append(re.sub(r"{\w+}", str(ids.get(before)), path))
    return found


def test_every_array_has_its_total_and_refuses_what_is_no_number(boss: APIClient, arrays: list[str]) -> None:
    assert len(arrays) > 20 and not [url for url in arrays if "None" in url]
    for url in arrays:
        answer = boss.get(url, {"limit": "0", "offset": "-1"})
        assert answer.status_code == 200 and len(answer.json()) <= 1, (url, answer.content)
        assert int(answer["X-Total-Count"]) >= len(answer.json()), url
        assert boss.get(url, {"offset": 10**30}).json() == [], url
        for name in ("limit", "offset"):
            refusal = boss.get(url, {name: "x"})
            assert refusal.status_code == 400 and f'"{name}"' in refusal.content.decode(), (url, refusal.content)
