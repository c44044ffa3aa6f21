"""The OpenAPI document: how it is made, and what is done to it as a whole."""

from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.plumbing import build_mock_request
from drf_spectacular.renderers import OpenApiJsonRenderer

from config.http.openapi.examples import add_examples
from config.http.openapi.tags import TAGS
from config.values.json_types import JsonObject

Endpoint = tuple[Any, ...]


@cache
def document() -> bytes:
    """The OpenAPI document as JSON; routes do not change while a process lives."""
    return OpenApiJsonRenderer().render(SchemaGenerator().get_schema(request=None, public=True), renderer_context={})


def contract_paths(endpoints: list[Endpoint]) -> list[Endpoint]:
    """The documented paths, with or without their trailing slash as the contracts write them."""
    return [(path if path.startswith("/api/ai") else path.rstrip("/") or "/", *rest) for path, *rest in endpoints]


def finish(result: JsonObject, **kwargs: Any) -> JsonObject:
    """The document with the descriptions of its tags, and an example of each body."""
    present = {tag for path in result["paths"].values() for operation in path.values() for tag in operation["tags"]}
    result["tags"] = [{"name": tag.name, "description": tag.description} for tag in TAGS if tag.name in present]
    add_examples(result)
    return result


def mock_request(method: str, path: str, view: Any, original_request: Any, **kwargs: Any) -> Any:
    """The request of nobody with which views are asked about themselves while the document is made."""
    request = build_mock_request(method, path, view, original_request, **kwargs)
    request.user = request.auth = None
    return request
