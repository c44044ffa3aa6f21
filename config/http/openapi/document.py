"""The OpenAPI document: one tag per contract, every façade's error body, three ways to show credentials."""

import re
from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, build_mock_request

TAGS = [
    (r"/api/ai(/|$)", "Agent jobs"),
    (r"/(tasks|health)?/?$|/tasks/", "Code tasks"),
    (r"/api/v1/(teams|executions|api-keys)(/|$)", "Teams"),
    (r"/api/v1/(master-data|templates|observability|system|integration)(/|$)", "Catalogue and operations"),
    (r"", "Runs and agents"),
]
TEXT: dict[str, Any] = {"type": "string"}
CORE_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["statusCode", "errorCode", "message", "context", "timestamp", "path", "traceId"],
    "properties": {
        "statusCode": {"type": "integer"},
        "errorCode": TEXT,
        "message": TEXT,
        "context": {"type": "object", "additionalProperties": True},
        "timestamp": {"type": "string", "format": "date-time"},
        "path": TEXT,
        "traceId": TEXT,
    },
}
ERRORS: dict[str, tuple[str, dict[str, Any]]] = {
    "Runs and agents": ("Error", CORE_ERROR),
    "Catalogue and operations": ("Error", CORE_ERROR),
    "Teams": (
        "TeamError",
        {
            "type": "object",
            "required": [*CORE_ERROR["required"], "detail"],
            "properties": CORE_ERROR["properties"] | {"detail": TEXT},
        },
    ),
    "Agent jobs": (
        "JobError",
        {"type": "object", "description": "{detail}, or {field: [sentences]}", "additionalProperties": True},
    ),
    "Code tasks": (
        "TaskError",
        {
            "type": "object",
            "required": ["detail"],
            "properties": {
                "detail": {
                    "oneOf": [
                        TEXT,
                        {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "required": ["loc", "msg", "type"],
                                "properties": {"loc": {"type": "array", "items": TEXT}, "msg": TEXT, "type": TEXT},
                            },
                        },
                    ]
                }
            },
        },
    ),
}


class FacadeSchema(AutoSchema):
    """Names the tag of the contract that a path belongs to, and adds the errors that it answers with."""

    def get_tags(self) -> list[str]:
        """The contract."""
        return [next(tag for pattern, tag in TAGS if re.match(pattern, self.path))]

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)
        name, schema = ERRORS[self.get_tags()[0]]
        component = ResolvedComponent(name=name, type=ResolvedComponent.SCHEMA, schema=schema, object=name)
        self.registry.register_on_missing(component)
        content = {"application/json": {"schema": component.ref}}
        bodies.setdefault("4XX", {"content": content, "description": "The request is refused; the body says why."})
        bodies.setdefault("5XX", {"content": content, "description": "A fault of the server; try again later."})
        return bodies


class Credentials(OpenApiAuthenticationExtension):
    """How the document describes the one authenticator."""

    target_class = "accounts.login.authentication.Authenticator"
    name = ["bearer", "apiKey", "cookie"]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        """A bearer token or API key, an API key in its header, the cookie of the login."""
        return [
            {"type": "http", "scheme": "bearer", "description": "An access token, or an API key (llm_…)."},
            {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            {"type": "apiKey", "in": "cookie", "name": "access_token"},
        ]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        """Any one of them is enough."""
        return [{name: []} for name in self.name]


def contract_paths(endpoints: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The documented paths, with or without their trailing slash as the contracts write them."""
    return [(path if path.startswith("/api/ai") else path.rstrip("/") or "/", *rest) for path, *rest in endpoints]


class NoCredentials(OpenApiAuthenticationExtension):
    """The ways in need none."""

    target_class = "accounts.login.authentication.Anybody"
    name: list[str] = []

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        """None."""
        return []

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        """None."""
        return []


def mock_request(method: str, path: str, view: Any, original_request: Any, **kwargs: Any) -> Any:
    """The request of nobody with which views are asked about themselves while the document is made."""
    request = build_mock_request(method, path, view, original_request, **kwargs)
    request.user = request.auth = None
    return request
