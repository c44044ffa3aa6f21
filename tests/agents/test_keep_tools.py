"""/api/v1/tools: list, read, create, replace, change, delete."""

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from agents.handlers.handler_secrets import secrets_of
from agents.models import Tool
from agents.tools.lookup import find_tools
from tests.agents.far_end import FarEnd
from tests.factories import log_in, make_user

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from accounts.models import Tenant

URL = "/api/v1/tools"
TOOL = {
    "id": "my.tool:1",
    "name": "Poster",
    "description": "Posts.",
    "handler_type": "http",
    "handler_config": {"url": "http://127.0.0.1:9/", "method": "POST"},
    "type": "api",
    "endpoint_url": "http://127.0.0.1:9/",
    "input_schema": {"type": "object", "properties": {"q": {"type": "string"}, "n": {"type": "integer"}}},
    "risk_level": "medium",
    "side_effects": ["external_write"],
}


@pytest.fixture
def tool(api: "APIClient", far_end: FarEnd) -> str:
    """The URL of a saved tool that posts to the far end."""
    answer = api.post(URL, TOOL | {"handler_config": {"url": far_end.url, "method": "post"}}, format="json")
    assert answer.status_code == 201, answer.content
    return f"{URL}/{TOOL['id']}"


def test_a_created_tool_can_be_read_back(api: "APIClient", tool: str, far_end: FarEnd) -> None:
    body = api.get(tool).json()
    for name in ("id", "name", "description", "handler_type", "risk_level", "side_effects", "input_schema"):
        assert body[name] == TOOL[name]
    assert body["handler_config"] == {"url": far_end.url, "method": "POST", "headers": {}}


def test_a_tool_without_an_id_gets_a_uuid(api: "APIClient") -> None:
    made = api.post(URL, {"name": "T", "handler_config": TOOL["handler_config"]}, format="json")
    assert made.status_code == 201 and uuid.UUID(made.json()["id"])


def test_posting_a_known_id_replaces_all_of_it(api: "APIClient", tool: str) -> None:
    api.post(URL, {"id": TOOL["id"], "name": "New", "handler_config": TOOL["handler_config"]}, format="json")
    body = api.get(tool).json()
    assert (body["name"], body["risk_level"], body["side_effects"], body["description"]) == ("New", "low", [], "")


@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_change_changes_only_what_it_names(api: "APIClient", tool: str, method: str) -> None:
    body = getattr(api, method)(tool, {"description": "Changed."}, format="json").json()
    assert (body["description"], body["name"], body["id"]) == ("Changed.", "Poster", TOOL["id"])


def test_a_deleted_tool_is_gone(api: "APIClient", tool: str) -> None:
    assert api.delete(tool).status_code == 200
    assert api.get(tool).json()["errorCode"] == "TOOL_NOT_FOUND"


def test_the_list_holds_the_built_in_tools_too(api: "APIClient", tool: str) -> None:
    answer = api.get(URL)
    ids = [row["id"] for row in answer.json()]
    assert {"ticketing.list_open", "http.request", TOOL["id"]} <= set(ids) and answer["X-Total-Count"] == str(len(ids))


def test_built_in_tools_are_read_only(api: "APIClient") -> None:
    assert api.get(f"{URL}/http.request").json()["handler_type"] == "builtin"
    assert api.post(URL, TOOL | {"id": "http.request"}, format="json").status_code == 403
    assert api.delete(f"{URL}/http.request").status_code == 403


@pytest.mark.parametrize(
    "field,value",
    [
        ("name", ["x"]),
        ("id", "a b"),
        ("risk_level", "apocalyptic"),
        ("handler_type", "magic"),
        ("handler_type", "builtin"),
        ("input_schema", "text"),
        ("input_schema", {"type": "array"}),
        ("input_schema", {"properties": {"a": {"pattern": "^(a{0,100}){0,100}b$"}}}),
        ("input_schema", {"properties": {"a": {"pattern": "^(?!b)"}}}),
        ("side_effects", "write"),
        ("handler_config", "text"),
        ("handler_config", {}),
        ("handler_config", {"url": 5}),
        ("handler_config", {"url": "file:///etc/passwd"}),
        ("handler_config", {"url": "http://10.0.0.1/"}),
        ("handler_config", {"url": "http://[::1]:9/"}),
        ("handler_config", {"url": "http://0.0.0.0:9/"}),
        ("handler_config", {"url": "http://127.0.0.1:9/", "method": "BREW"}),
        ("handler_config", {"url": "http://127.0.0.1:9/", "headers": {"Host": "x"}}),
        ("handler_config", {"url": "http://127.0.0.1:9/", "headers": {"A": 5}}),
        ("handler_config", {"url": "http://127.0.0.1:9/", "headers": ["A"]}),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(api: "APIClient", far_end: FarEnd, field: str, value: Any) -> None:
    answer = api.post(URL, TOOL | {field: value}, format="json")
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "VALIDATION_ERROR")
    assert list(answer.json()["context"]["errors"]) == [field]


def test_credentials_in_headers_are_never_shown_and_kept_by_a_change(
    api: "APIClient", tenant: "Tenant", far_end: FarEnd
) -> None:
    config = {"url": far_end.url, "headers": {"Authorization": "Bearer planted-secret", "X-Plain": "shown"}}
    made = api.post(URL, TOOL | {"handler_config": config}, format="json")
    shown = made.json()["handler_config"]
    assert "planted-secret" not in made.content.decode() and shown["headers"]["X-Plain"] == "shown"
    url = f"{URL}/{TOOL['id']}"
    assert api.patch(url, {"handler_config": shown}, format="json").json()["handler_config"] == shown
    assert secrets_of(find_tools(tenant.pk, [TOOL["id"]])[0]).headers["Authorization"] == "Bearer planted-secret"
    assert "planted-secret" not in str(Tool.all_tenants.values().get(key=TOOL["id"]))
    elsewhere = api.patch(url, {"handler_config": shown | {"url": "http://127.0.0.1:9/"}}, format="json")
    assert elsewhere.status_code == 400 and "masked" in elsewhere.json()["message"]
    api.patch(url, {"handler_type": "http"}, format="json")
    assert secrets_of(find_tools(tenant.pk, [TOOL["id"]])[0]).headers["Authorization"] == "Bearer planted-secret"
    new = api.post(URL, TOOL | {"id": "other", "handler_config": shown}, format="json")
    assert new.status_code == 400 and "masked" in new.json()["message"]


@pytest.mark.parametrize("reference", ["#/type", "#/properties/q/$ref", "#/nowhere"])
def test_a_schema_that_refers_to_no_schema_fails_nothing_but_the_call(api: "APIClient", reference: str) -> None:
    schema = {"type": "object", "properties": {"q": {"$ref": reference}}}
    made = api.post(URL, TOOL | {"input_schema": schema}, format="json")
    answer = made if made.status_code != 201 else api.post(f"{URL}/{TOOL['id']}/execute", {"q": 1}, format="json")
    assert answer.status_code == 400, answer.content


def test_a_wrong_input_is_refused_before_the_call(api: "APIClient", tool: str, far_end: FarEnd) -> None:
    answer = api.post(f"{tool}/execute", {"n": "many"}, format="json")
    assert (answer.status_code, list(answer.json()["context"]["errors"])) == (400, ["n"])
    assert far_end.hits == []


def test_a_user_reads_and_executes_but_does_not_write(api: "APIClient", tool: str, tenant: "Tenant") -> None:
    user = log_in(make_user(tenant))
    assert user.get(tool).status_code == 200
    assert user.patch(tool, {"name": "x"}, format="json").status_code == 403
    assert user.post(URL, TOOL, format="json").status_code == 403


def test_other_tenant_gets_404(tool: str, other_tenant: "Tenant", far_end: FarEnd) -> None:
    stranger = log_in(make_user(other_tenant, role="developer"))
    answers = [stranger.get(tool), stranger.patch(tool, {"name": "x"}, format="json"), stranger.delete(tool)]
    answers.append(stranger.post(f"{tool}/execute", {"q": "x"}, format="json"))
    assert [answer.json()["errorCode"] for answer in answers] == ["TOOL_NOT_FOUND"] * 4
    assert far_end.hits == []


def test_an_unknown_tool_is_a_404(api: "APIClient") -> None:
    assert api.post(f"{URL}/ghost/execute", {}, format="json").json()["errorCode"] == "TOOL_NOT_FOUND"


@pytest.mark.parametrize("raw", ["[]", "3", '"x"', "null"])
def test_an_input_that_is_no_object_is_refused(api: "APIClient", tool: str, raw: str) -> None:
    assert api.post(f"{tool}/execute", raw, content_type="application/json").status_code == 400
