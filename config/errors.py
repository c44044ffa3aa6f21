"""DomainError: an error is a class, its docstring its message; config/http/error_handler.py writes the response."""

from collections.abc import Callable, Mapping
from typing import Any


class DomainError(Exception):
    """The operation failed."""

    status = 400
    code = "BAD_REQUEST"
    retry_after: int | None = None  # seconds; becomes the Retry-After header
    afterwards: Callable[[], None] | None = None  # what to write although the request's transaction is undone

    def __init__(self, message: str = "", **context: Any) -> None:
        self.message = message or (self.__doc__ or "").strip()
        self.context = context
        super().__init__(self.message)


class Unauthorized(DomainError):
    """Credentials are needed: send Authorization: Bearer <token or API key>, X-API-Key, or the login's cookie."""

    status, code = 401, "UNAUTHORIZED"


class Forbidden(DomainError):
    """You may not do this."""

    status, code = 403, "FORBIDDEN"


class ScopeDenied(Forbidden):
    """The app that this runs in has no scope for it."""

    code = "SCOPE_DENIED"


class TenantSuspended(Forbidden):
    """This tenant is suspended; its data is kept. Ask the platform's operator to resume it."""

    code = "TENANT_SUSPENDED"


class RegistrationClosed(Forbidden):
    """Nobody registers here by themselves. Ask an admin of your tenant for an invitation and send its code as
    `invitation`, or ask the platform's operator for an account."""

    code = "REGISTRATION_CLOSED"

    def __init__(self) -> None:
        super().__init__(" ".join((self.__doc__ or "").split()))


class NotFound(DomainError):
    """There is no such thing."""

    status, code = 404, "NOT_FOUND"


class WorkflowNotFound(NotFound):
    """There is no such workflow."""

    code = "WORKFLOW_NOT_FOUND"


class AgentNotFound(NotFound):
    """There is no such agent."""

    code = "AGENT_NOT_FOUND"


class ToolNotFound(NotFound):
    """There is no such tool."""

    code = "TOOL_NOT_FOUND"


class TeamNotFound(NotFound):
    """There is no such team."""

    code = "TEAM_NOT_FOUND"


class ExecutionNotFound(NotFound):
    """There is no such execution."""

    code = "EXECUTION_NOT_FOUND"


class MethodNotAllowed(DomainError):
    """This path does not take this method."""

    status, code = 405, "METHOD_NOT_ALLOWED"


class Conflict(DomainError):
    """The thing has changed, or is in use."""

    status, code = 409, "CONFLICT"


class IdempotencyConflict(Conflict):
    """This Idempotency-Key was used with another request; send a new key."""

    code = "IDEMPOTENCY_CONFLICT"


class PayloadTooLarge(DomainError):
    """The body is too large."""

    status, code = 413, "PAYLOAD_TOO_LARGE"


class UnsupportedMediaType(DomainError):
    """This path does not take this media type; send application/json."""

    status, code = 415, "UNSUPPORTED_MEDIA_TYPE"


class RateLimited(DomainError):
    """Too many requests; wait for as long as Retry-After says."""

    status, code = 429, "RATE_LIMIT_EXCEEDED"

    def __init__(self, message: str = "", retry_after: int = 1, **context: Any) -> None:
        super().__init__(message, **context)
        self.retry_after = retry_after


class Invalid(DomainError):
    """The input is not valid. `errors` maps each field to a list of sentences."""

    status, code = 400, "VALIDATION_ERROR"

    def __init__(self, errors: Mapping[str, list[str]], message: str = "") -> None:
        first = next(iter(errors.items()), ("", ["The input is not valid."]))
        super().__init__(message or f"{first[0]}: {first[1][0]}", errors=dict(errors))


class ExecutionOver(DomainError):
    """The execution has come to its end already."""

    status, code = 400, "EXECUTION_OVER"


class WorkflowInvalid(Invalid):
    """The workflow's definition is not valid."""

    code = "WORKFLOW_VALIDATION_ERROR"


class Unavailable(DomainError):
    """A part that this needs is not reachable; try again shortly."""

    status, code = 503, "SERVICE_UNAVAILABLE"
    retry_after = 2
