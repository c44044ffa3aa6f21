"""/api/v1/agents: list, read, create, replace, change, delete."""

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.factories import log_in, make_user

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from accounts.models import Tenant

URL = "/api/v1/agents"
PROFILE = {"provider": "openai", "model": "gpt-4o-mini", "temperature": 0.7, "max_tokens": 2000}
AGENT = {"id": "agent.my-agent:1", "name": "My Agent", "instructions": "Be brief.", "model_profile": PROFILE}


@pytest.fixture
def stranger(other_tenant: "Tenant") -> "APIClient":
    """A developer of another tenant."""
    return log_in(make_user(other_tenant, role="developer"))


def test_a_created_agent_can_be_read_back(api: "APIClient") -> None:
    made = api.post(URL, AGENT | {"allowed_tools": ["ticketing.list_open"]}, format="json")
    assert made.status_code == 201 and AGENT.items() <= made.json().items()
    assert api.get(f"{URL}/{AGENT['id']}").json() == made.json()
    assert made.json()["allowed_tools"] == ["ticketing.list_open"]


def test_an_agent_without_an_id_gets_a_uuid(api: "APIClient") -> None:
    body = api.post(URL, {"name": "Nameless"}, format="json").json()
    assert (
        uuid.UUID(body["id"]) and body["model_profile"] == {"provider": "", "model": ""} and body["is_active"] is True
    )


def test_posting_a_known_id_replaces_all_of_it(api: "APIClient") -> None:
    api.post(URL, AGENT | {"allowed_tools": ["http.request"], "is_active": False, "description": "x"}, format="json")
    assert api.post(URL, {"id": AGENT["id"], "name": "New"}, format="json").status_code == 201
    body = api.get(f"{URL}/{AGENT['id']}").json()
    assert (body["name"], body["instructions"], body["allowed_tools"]) == ("New", "", [])
    assert (body["is_active"], body["description"], body["model_profile"]["model"]) == (True, "", "")


@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_change_changes_only_what_it_names(api: "APIClient", method: str) -> None:
    api.post(URL, AGENT, format="json")
    change = {"name": "Renamed", "id": "another", "model_profile": {"model": "gpt-4o"}}
    body = getattr(api, method)(f"{URL}/{AGENT['id']}", change, format="json").json()
    assert (body["id"], body["name"], body["instructions"]) == (AGENT["id"], "Renamed", "Be brief.")
    assert body["model_profile"] == PROFILE | {"model": "gpt-4o"}


def test_a_deleted_agent_is_gone(api: "APIClient") -> None:
    api.post(URL, AGENT, format="json")
    assert api.delete(f"{URL}/{AGENT['id']}").status_code == 200
    answer = api.get(f"{URL}/{AGENT['id']}")
    assert (answer.status_code, answer.json()["errorCode"]) == (404, "AGENT_NOT_FOUND")


def test_the_list_is_an_array_with_the_built_in_agents_and_its_total(api: "APIClient") -> None:
    api.post(URL, AGENT, format="json")
    answer = api.get(URL)
    ids = [agent["id"] for agent in answer.json()]
    built_in = ["agent.condition_evaluator", "agent.router", "dummy", "predictive", "root_cause"]
    assert ids == [*built_in, AGENT["id"]]
    assert answer["X-Total-Count"] == "6"
    assert [agent["id"] for agent in api.get(f"{URL}?limit=1&offset=1").json()] == ["agent.router"]


def test_built_in_agents_are_read_only(api: "APIClient") -> None:
    before = api.get(f"{URL}/agent.router").json()
    assert before["model_profile"]["temperature"] == 0.1 and before["model_profile"]["model"]
    for answer in (
        api.post(URL, AGENT | {"id": "agent.router"}, format="json"),
        api.patch(f"{URL}/agent.router", {"name": "x"}, format="json"),
        api.delete(f"{URL}/agent.router"),
    ):
        assert answer.status_code == 403
    assert api.get(f"{URL}/agent.router").json() == before


@pytest.mark.parametrize(
    "field,value",
    [
        ("name", ["x"]),
        ("name", ""),
        ("name", None),
        ("id", "with blank"),
        ("id", "a/b"),
        ("id", "x" * 65),
        ("id", 5),
        ("instructions", {"a": 1}),
        ("model_profile", "gpt-4o"),
        ("model_profile", {"temperature": "hot"}),
        ("model_profile", {"temperature": 3}),
        ("model_profile", {"max_tokens": 0}),
        ("model_profile", {"max_tokens": 1.5}),
        ("model_profile", {"model": "a b"}),
        ("allowed_tools", "memory"),
        ("allowed_tools", [1]),
        ("allowed_tools", ["no.such.tool"]),
        ("is_active", "yes"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(api: "APIClient", field: str, value: Any) -> None:
    answer = api.post(URL, AGENT | {field: value}, format="json")
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "VALIDATION_ERROR")
    assert [name.split(".")[0].split("[")[0] for name in answer.json()["context"]["errors"]] == [field]


def test_a_tool_that_does_not_exist_is_named(api: "APIClient") -> None:
    answer = api.post(URL, AGENT | {"allowed_tools": ["http.request", "no.such.tool"]}, format="json")
    assert "no.such.tool" in answer.json()["message"] and "http.request" not in answer.json()["message"]


def test_a_user_reads_but_does_not_write(api: "APIClient", tenant: "Tenant") -> None:
    api.post(URL, AGENT, format="json")
    user = log_in(make_user(tenant))
    assert user.get(f"{URL}/{AGENT['id']}").status_code == 200
    for answer in (user.post(URL, AGENT, format="json"), user.patch(f"{URL}/{AGENT['id']}", {}, format="json")):
        assert (answer.status_code, answer.json()["errorCode"]) == (403, "FORBIDDEN")


def test_other_tenant_gets_404(api: "APIClient", stranger: "APIClient") -> None:
    api.post(URL, AGENT, format="json")
    url = f"{URL}/{AGENT['id']}"
    for answer in (stranger.get(url), stranger.patch(url, {"name": "x"}, format="json"), stranger.delete(url)):
        assert (answer.status_code, answer.json()["errorCode"]) == (404, "AGENT_NOT_FOUND")
    assert stranger.post(URL, AGENT | {"name": "Theirs"}, format="json").status_code == 201
    assert api.get(url).json()["name"] == "My Agent"


def test_routes_answer_with_a_slash_too(api: "APIClient") -> None:
    assert api.post(f"{URL}/", AGENT, format="json").status_code == 201
    assert api.get(f"{URL}/{AGENT['id']}/").json()["id"] == AGENT["id"]
