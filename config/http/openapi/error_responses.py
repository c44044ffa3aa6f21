"""The error responses of each operation: every status by its number, with the body of its façade."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent

from accounts.login.authentication import Anybody
from accounts.permissions import HasRole
from config.errors import (
    DomainError,
    Forbidden,
    Invalid,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
)
from config.http.openapi.error_schemas import error_schema
from config.values.json_types import JsonObject

SAFE = ("GET", "HEAD", "OPTIONS")
RETRY_AFTER = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
HEADERS: dict[int, JsonObject] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: RETRY_AFTER,
    503: RETRY_AFTER,
}
FAULT = "A fault of the server; report the response's X-Trace-ID."


def error_responses(
    view: Any, path: str, method: str, has_body: bool, has_path_id: bool, registry: ComponentRegistry
) -> JsonObject:
    """OpenAPI response objects by status, of what the view declares in `errors` and what every such view may raise."""
    name, schema = error_schema(path)
    component = ResolvedComponent(name=name, type=ResolvedComponent.SCHEMA, schema=schema, object=name)
    registry.register_on_missing(component)
    sentences: dict[int, list[str]] = {}
    for error in _errors(view, method, has_body, has_path_id):
        status = 422 if error is Invalid and path.startswith("/tasks") else error.status
        sentences.setdefault(status, []).append(_sentence(error, view, method))
    if any(status == 422 for status in sentences):
        sentences.setdefault(400, []).append("The body is no valid JSON.")
    sentences[500] = [FAULT]
    return {
        str(status): {
            "description": "\n".join(f"- {line}" for line in lines) if len(lines) > 1 else lines[0],
            "content": {"application/json": {"schema": component.ref}},
            **({"headers": HEADERS[status]} if status in HEADERS else {}),
        }
        for status, lines in sorted(sentences.items())
    }


def _errors(view: Any, method: str, has_body: bool, has_path_id: bool) -> Iterable[type[DomainError]]:
    """Each error class once."""
    action = getattr(view, "action", None) or method.lower()
    errors: list[type[DomainError]] = []
    authenticators = view.authentication_classes
    if authenticators:
        errors += [Invalid, RateLimited, Unavailable]
        if Anybody not in authenticators:
            errors += [Unauthorized, Forbidden]
    if has_path_id:
        errors.append(getattr(view, "not_found", NotFound))
    if has_body:
        errors += [PayloadTooLarge, UnsupportedMediaType]
    return dict.fromkeys([*errors, *getattr(view, "errors", {}).get(action, ())])


def _sentence(error: type[DomainError], view: Any, method: str) -> str:
    text = " ".join((error.__doc__ or "").split())
    if error is Forbidden and HasRole in view.permission_classes:
        role = view.roles.get(view.action) or view.roles.get("read" if method in SAFE else "write")
        text = f"{text} It needs the role {role}." if role else text
    return f"`{error.code}`: {text}"
