"""The response to an exception: each contract's error body, and the log line of a fault of ours."""

import logging
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import psycopg
import redis
from django import db
from django.conf import settings
from django.core import exceptions as django_errors
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from rest_framework import exceptions as rest_errors

from config.database.roles import WrongRole
from config.errors import DomainError, Forbidden, Invalid, Unauthorized, Unavailable
from config.http.error_bodies import Problem, body_of
from config.masking import scrub, truncate
from config.values.foreign_json import write_json

if TYPE_CHECKING:
    from config.http.api_request import ApiHttpRequest

log = logging.getLogger("regente.errors")

CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "RATE_LIMIT_EXCEEDED",
    503: "SERVICE_UNAVAILABLE",
}
DATABASE_DOWN = (db.OperationalError, db.InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
BROKER_DOWN = (redis.ConnectionError, redis.TimeoutError)
NO_PATH = "There is nothing at this path; /openapi.json lists what there is."


def problem_of(exc: BaseException | None) -> Problem:
    """The problem that the response to an exception describes."""
    if isinstance(exc, DomainError):
        errors = exc.context.get("errors") if isinstance(exc, Invalid) else None
        return Problem(exc.status, exc.code, exc.message, exc.context, errors, exc.retry_after)
    if isinstance(exc, rest_errors.ValidationError):
        return Problem(400, "VALIDATION_ERROR", "", errors=exc.detail)
    if isinstance(exc, rest_errors.APIException):
        wait = getattr(exc, "wait", None)
        code = CODES.get(exc.status_code, "BAD_REQUEST" if exc.status_code < 500 else "INTERNAL_SERVER_ERROR")
        return Problem(exc.status_code, code, str(exc.detail), retry_after=int(wait) + 1 if wait else None)
    if isinstance(exc, WrongRole):
        return problem_of(Unavailable(str(exc)))
    if isinstance(exc, DATABASE_DOWN):
        return problem_of(Unavailable("The database is not reachable or too busy; try again shortly."))
    if isinstance(exc, BROKER_DOWN):
        return problem_of(Unavailable("The message broker is not reachable; try again shortly."))
    return _django_problem(exc) or Problem(
        500, "INTERNAL_SERVER_ERROR", "Something failed on our side; name this answer's X-Trace-ID when you report it."
    )


def _django_problem(exc: BaseException | None) -> Problem | None:
    """What Django's own and the database's refusals of an input say; None for an unforeseen fault."""
    if isinstance(exc, Http404):
        return Problem(404, "NOT_FOUND", NO_PATH if not exc.args or isinstance(exc.args[0], dict) else str(exc))
    if isinstance(exc, django_errors.PermissionDenied):
        return Problem(403, "FORBIDDEN", str(exc) or Forbidden.__doc__ or "")
    if isinstance(exc, django_errors.RequestDataTooBig):
        return Problem(
            413, "PAYLOAD_TOO_LARGE", f"The body is larger than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes."
        )
    if isinstance(exc, django_errors.SuspiciousOperation | django_errors.BadRequest | MultiPartParserError):
        return Problem(400, "BAD_REQUEST", str(exc) or "The request is malformed.")
    if isinstance(exc, db.DataError):
        return Problem(
            400, "BAD_REQUEST", "A value is out of range or holds a NUL character; send a smaller or plain one."
        )
    if isinstance(exc, models.ProtectedError | models.RestrictedError):
        return Problem(409, "CONFLICT", "Other things use this one; delete or change them first.")
    if isinstance(exc, db.IntegrityError) and isinstance(exc.__cause__, psycopg.errors.UniqueViolation):
        return Problem(409, "CONFLICT", "Another request made the same thing first; read it and try again.")
    return None


def handle(exc: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """DRF's exception handler: the façade's error body for whatever a view raised."""
    request, view = context["request"], context["view"]
    if isinstance(exc, DomainError) and exc.afterwards is not None:
        keep_afterwards(request._request, exc.afterwards)
    problem = problem_of(exc)
    if isinstance(exc, rest_errors.MethodNotAllowed):
        problem.message = (
            f"{request.method} is not allowed here; use {', '.join(view.allowed_methods) or 'another path'}."
        )
    elif isinstance(exc, rest_errors.UnsupportedMediaType):
        takes = " or ".join(parser.media_type for parser in view.parser_classes)
        problem.message = (
            f"{truncate(request.content_type) or 'A body without Content-Type'} is not taken here; send {takes}."
        )
    elif isinstance(exc, rest_errors.NotAuthenticated):
        problem.message = (Unauthorized.__doc__ or "").strip()
    return respond(request, problem, exc, inputs=[vars(request).get("_full_data"), dict(request.query_params)])


def keep_afterwards(request: "ApiHttpRequest", keep: Callable[[], None]) -> None:
    """Have this written once the request's transaction is undone."""
    request.afterwards.append(keep)


class LoggedResponse(HttpResponse):
    """An error that is logged already, or needs no line; Django would write one for each."""

    _has_been_logged = True


def respond(request: Any, problem: Problem, exc: BaseException | None = None, inputs: Any = None) -> HttpResponse:
    """The answer that tells of a problem in the words of the path's façade; faults of ours are logged."""
    if problem.status >= 500:
        trace = getattr(request, "trace_id", "")
        about = {"trace": trace, "tenant": getattr(getattr(request, "tenant", None), "pk", None)}
        log.error("%s %s failed [trace %s]", request.method, request.path, trace, exc_info=exc, extra=about)
        if problem.status == 500 and settings.DEBUG and exc is not None:
            stack = "".join(traceback.format_exception(exc))
            problem.context = {"error_details": {"name": type(exc).__name__, "message": str(exc), "stack": stack}}
    problem.message = scrub(problem.message, inputs)
    problem.errors = _scrub_errors(problem.errors, inputs)
    status, body = body_of(problem, request)
    response = LoggedResponse(write_json(body, default=str), status=status, content_type="application/json")
    if problem.retry_after is not None:
        response["Retry-After"] = str(problem.retry_after)
    if status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="regente"'
    return response


def _scrub_errors(errors: Any, inputs: Any) -> Any:
    """The same nested errors with every sentence scrubbed; each keeps its code."""
    if isinstance(errors, Mapping):
        return {key: _scrub_errors(item, inputs) for key, item in errors.items()}
    if isinstance(errors, list | tuple):
        return [_scrub_errors(item, inputs) for item in errors]
    if errors is None:
        return None
    return rest_errors.ErrorDetail(scrub(str(errors), inputs), getattr(errors, "code", None))


def handler404(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's 404 as JSON."""
    return respond(request, problem_of(exception if isinstance(exception, Http404) else Http404()))


def handler400(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's 400 as JSON."""
    return respond(request, problem_of(exception or django_errors.BadRequest()), inputs=[dict(request.GET)])


def handler403(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's 403 as JSON."""
    return respond(request, problem_of(exception or django_errors.PermissionDenied()))


def handler500(request: HttpRequest) -> HttpResponse:
    """Django's 500 as JSON, or 503 when the database was not reachable."""
    exc = sys.exc_info()[1]
    return respond(request, problem_of(exc), exc)
