"""The error bodies of the five façades: one Problem, in the words that each contract's clients expect."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from config.masking import MAX_INPUT_LENGTH, mask, truncate


@dataclass
class Problem:
    """Any exception in the terms that every façade's error body is written from."""

    status: int
    code: str
    message: str
    context: dict[str, Any] = field(default_factory=dict)
    errors: Any = None  # a serializer's nested errors
    retry_after: int | None = None


def _place(path: str, key: object) -> str:
    """The name of what stands under a key: "items[1].name"; an object's own faults have the object's name."""
    if key == "non_field_errors":
        return path or "body"
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else str(key)


def _flat(errors: Any, path: str = "") -> dict[str, list[Any]]:
    """{"items[1].name": [sentences]} of a serializer's nested errors; what concerns no field is named body."""
    if isinstance(errors, Mapping):
        flat: dict[str, list[Any]] = {}
        for key, item in errors.items():
            here = _place(path, key)
            for name, sentences in _flat(item, here).items():
                flat.setdefault(name, []).extend(sentences)
        return flat
    if not isinstance(errors, list | tuple):
        return {path or "body": [errors]}
    flat = {}
    for index, item in enumerate(errors):
        for name, sentences in _flat(item, f"{path}[{index}]" if isinstance(item, Mapping) else path or "body").items():
            flat.setdefault(name, []).extend(sentences)
    return flat


def _group(path: str) -> str:
    """The façade of a path: "/api/ai", "/tasks", "/health", "/api/v1/teams" …"""
    parts = path.split("/", 4)
    if parts[1:3] == ["api", "v1"] and len(parts) > 3:
        return f"/api/v1/{parts[3]}"
    return "/api/ai" if parts[1:3] == ["api", "ai"] else f"/{parts[1]}"


def _core_body(problem: Problem, request: Any) -> tuple[int, dict[str, Any]]:
    """The body of /api/v1/** and of paths that no façade owns."""
    context = mask({k: v for k, v in problem.context.items() if k not in ("errors", "error_details")})
    if "error_details" in problem.context:
        context["error_details"] = mask(problem.context["error_details"], length=None)
    message = problem.message
    if problem.errors is not None:
        context["errors"] = _flat(problem.errors)
        name, sentences = next(iter(context["errors"].items()), ("body", ["The input is not valid."]))
        message = message or f"{name}: {sentences[0]}"
    return problem.status, {
        "statusCode": problem.status,
        "errorCode": problem.code,
        "message": message,
        "context": context,
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "path": truncate(request.path, MAX_INPUT_LENGTH),
        "traceId": getattr(request, "trace_id", ""),
    }


def _team_body(problem: Problem, request: Any) -> tuple[int, dict[str, Any]]:
    """The body of the team paths: the core's and `detail`."""
    status, body = _core_body(problem, request)
    return status, body | {"detail": body["message"]}


def _rest_body(problem: Problem, request: Any) -> tuple[int, Any]:
    """The body of /api/ai/**: Django REST framework's own."""
    if isinstance(problem.errors, Mapping):
        return problem.status, problem.errors
    sentence = next(iter(_flat(problem.errors).values()))[0] if problem.errors else problem.message
    return problem.status, {"detail": sentence}


def _task_body(problem: Problem, request: Any) -> tuple[int, Any]:
    """The body of /tasks and /health: `detail`, which for an invalid input is the list of what is wrong where."""
    if problem.errors is None:
        return problem.status, {"detail": problem.message}
    place = "body" if request.method in ("POST", "PUT", "PATCH") else "query"
    details = [
        {"loc": [place] if name == place else [place, *name.split(".")], "msg": str(sentence), "type": _kind(sentence)}
        for name, sentences in _flat(problem.errors).items()
        for sentence in sentences
    ]
    return 422, {"detail": details}


def _kind(sentence: Any) -> str:
    """The contract's word for a kind of invalid value."""
    code = getattr(sentence, "code", None) or ""
    return {"required": "value_error.missing", "null": "type_error.none.not_allowed", "invalid": "type_error"}.get(
        code, f"value_error.{code}" if code else "value_error"
    )


FACADES: dict[str, Callable[[Problem, Any], tuple[int, Any]]] = {
    "/api/ai": _rest_body,
    "/tasks": _task_body,
    "/health": _task_body,
    "/api/v1/teams": _team_body,
    "/api/v1/executions": _team_body,
    "/api/v1/api-keys": _team_body,
}


def body_of(problem: Problem, request: Any) -> tuple[int, Any]:
    """The status and the body that tell of a problem in the words of the façade that the path belongs to."""
    return FACADES.get(_group(request.path), _core_body)(problem, request)
