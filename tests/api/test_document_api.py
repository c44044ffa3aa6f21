"""The OpenAPI document: valid, complete, with errors by number and true examples; its pages come from this server."""

import re
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from jsonschema import Draft202012Validator
from rest_framework.test import APIClient
from rest_framework.views import APIView

from tests.api.test_cross_tenants import routes as tenant_routes

GHOST = "00000000-0000-4000-8000-000000000000"
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The served document."""
    return Client().get("/openapi.json").json()


def routes(patterns: list[Any], prefix: str = "") -> list[tuple[str, Any]]:
    """(path, view class) of every API view that the URLs name."""
    found: list[tuple[str, Any]] = []
    for entry in patterns:
        path = prefix + str(entry.pattern).lstrip("^")
        if isinstance(entry, URLResolver):
            found += routes(entry.url_patterns, path)
        elif isinstance(entry, URLPattern):
            view = getattr(entry.callback, "cls", None)
            if view is not None and issubclass(view, APIView):
                found.append((plain(path), view))
    return found


def plain(path: str) -> str:
    """The path without the names of its parameters and without its slash."""
    path = re.sub(r"\(\?P<\w+>[^)]*\)|{\w+}", "{}", path.replace("/?$", "").replace("\\", "").replace("$", ""))
    return "/" + path.strip("/")


def test_it_is_valid_and_nothing_is_guessed() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO())


def test_it_says_which_version_it_is(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.1" and document["info"]["title"] == "Regente"


def test_every_route_is_documented(document: dict[str, Any]) -> None:
    documented = {plain(path) for path in document["paths"]}
    pages = {"/docs", "/redoc", "/openapi.json"}
    assert {path for path, _ in routes(get_resolver().url_patterns)} - pages <= documented


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    """All operations."""
    return [one for path in document["paths"].values() for key, one in path.items() if key in METHODS]


def test_every_operation_has_a_tag_and_an_id_of_its_own(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    assert all(len(one["tags"]) == 1 and one["tags"][0] in tags for one in operations(document))
    ids = [one["operationId"] for one in operations(document)]
    assert len(ids) == len(set(ids)) and all(re.fullmatch("[a-z][a-z0-9_]*", id) for id in ids)


def test_every_operation_has_its_errors_by_number(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for one in (one for method, one in methods.items() if method in METHODS):
            statuses = set(one["responses"])
            assert "500" in statuses and all(status.isdigit() for status in statuses), path
            assert not one.get("security") or {"400", "401", "403", "429", "503"} <= statuses, path
            assert "requestBody" not in one or {"413", "415"} <= statuses, path
            assert "{" not in path or "404" in statuses, path


def test_every_json_body_has_an_example_that_its_schema_allows(document: dict[str, Any]) -> None:
    for one in operations(document):
        for body in (one.get("requestBody", {}), *one["responses"].values()):
            for media_type, content in body.get("content", {}).items():
                if media_type == "application/json":
                    schema = content["schema"] | {"components": document["components"]}
                    Draft202012Validator(schema).validate(content["example"])


def test_requests_demand_nothing_that_only_responses_have(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    bodies = {name: schema for name, schema in schemas.items() if name.endswith("Request")}
    assert bodies and not [
        (name, key)
        for name, schema in bodies.items()
        for key, value in schema.get("properties", {}).items()
        if value.get("readOnly")
    ]


def test_every_list_says_by_what_its_pages_are_read(document: dict[str, Any]) -> None:
    arrays, pages = set(), set()
    for path, operations in document["paths"].items():
        one = operations.get("get", {})
        names = {parameter["name"] for parameter in one.get("parameters", ()) if parameter["in"] == "query"}
        schema = (
            one.get("responses", {}).get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
        )
        while "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        if schema.get("type") == "array" and schema["items"].get("type") != "string":
            arrays.add(path)
            assert {"limit", "offset"} <= names and "page" not in names, path
        elif {"data", "meta"} <= set(schema.get("properties", ())):
            pages.add(path)
            assert {"limit", "page"} <= names and "offset" not in names, path
    assert {f"/api/v1/runs/{{id}}/{part}" for part in ("events", "steps", "changes")} <= arrays
    assert "/api/v1/metrics" not in arrays and "/api/v1/runs" in pages


def test_credentials_are_described(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert {scheme["type"] for scheme in schemes.values()} == {"http", "apiKey"} and len(schemes) == 3
    me = next(one for path, one in document["paths"].items() if path.startswith("/api/v1/auth/me"))
    assert [next(iter(way)) for way in me["get"]["security"]] == ["bearer", "apiKey", "cookie"]


@pytest.mark.django_db
def test_every_route_answers_itself_with_and_without_a_slash(document: dict[str, Any]) -> None:
    client = Client(raise_request_exception=False)
    for path, operations in document["paths"].items():
        url = re.sub(r"{\w+}", GHOST, path).rstrip("/")
        for method in METHODS:
            if method not in operations or not url:
                continue
            answers = [client.generic(method.upper(), each, b"{}", "application/json") for each in (url, url + "/")]
            statuses = [answer.status_code for answer in answers]
            assert statuses[0] == statuses[1], (method, url, statuses)
            assert statuses[0] in (200, 400, 401, 503), (method, url, statuses)


@pytest.mark.parametrize("path", ["/docs", "/docs/", "/redoc", "/redoc/"])
def test_its_pages_load_nothing_from_elsewhere(path: str) -> None:
    answer = Client().get(path, HTTP_ACCEPT="application/json")
    page = answer.content.decode()
    assert answer.status_code == 200 and answer["Content-Type"].startswith("text/html")
    assets = re.findall(r"(?:src|href)=\"([^\"#]+)\"", page)
    assert assets and all(asset.startswith("/static/") for asset in assets)
    for asset in assets:
        assert Client().get(asset).status_code == 200
    assert "/openapi.json" in page and "default-src 'self'" in answer["Content-Security-Policy"]


def test_a_wrong_method_on_a_page_is_our_own_error() -> None:
    assert Client().post("/docs").json()["errorCode"] == "METHOD_NOT_ALLOWED"


def test_no_accept_header_and_no_format_changes_what_comes() -> None:
    for headers in ({"HTTP_ACCEPT": "text/event-stream"}, {"HTTP_ACCEPT": "image/png"}, {"HTTP_ACCEPT": ""}):
        assert Client().get("/api/v1?format=yaml", **headers).json()["api"] == "/api/v1"


def test_options_tell_what_a_resource_takes_of_every_route(api: APIClient) -> None:
    for path in sorted({route.path for route in tenant_routes()}):
        answer = api.options("/" + re.sub(r"{\w+}", "1", path))
        assert answer.status_code in (200, 403, 404), (path, answer.content)
