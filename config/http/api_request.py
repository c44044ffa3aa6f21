"""The request as views and middleware see it: each attribute that the product adds to Django's, with its type.

`trace_request` sets those that every request has; the authenticator (accounts/login/authentication.py) adds who calls.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.http import HttpRequest
from rest_framework.request import Request

if TYPE_CHECKING:
    from accounts.login.authentication import Identity
    from accounts.models import Tenant, User
    from config.rate_limits.limiter import LimitState
    from config.values.json_types import JsonObject


class ApiHttpRequest(HttpRequest):
    """Django's request, as the middleware and the authenticator leave it."""

    trace_id: str  # of X-Trace-ID, else a new one
    transaction_scope: ExitStack | None  # the transaction to begin with the credentials; None once it has begun
    rate_limit: "LimitState | None"  # what is left of the caller's nearest limit, for the headers of the response
    is_counted: bool  # counted against the rate limits before
    failed_login: str  # the account of a refused login, for the audit log
    audit: "JsonObject"  # what the audit entry says beside the response: `before` and `action`
    afterwards: list[Callable[[], None]]  # what to write although the transaction is undone

    user: "User"  # type: ignore[assignment]  # from here on: only of a caller with credentials
    tenant: "Tenant"
    identity: "Identity"
    role: str
    permissions: frozenset[str]
    on_behalf_of: str  # the caller's own end user; recorded, grants nothing


class ApiRequest(Request):
    """The request of a view; it passes on the attributes of Django's."""

    _request: ApiHttpRequest
    user: "User"
    tenant: "Tenant"
    identity: "Identity"
    role: str
    permissions: frozenset[str]
    on_behalf_of: str
    trace_id: str

    @property
    def caller_id(self) -> UUID | None:
        """The caller's user id; None without credentials."""
        return getattr(self.user, "pk", None)

    @property
    def tenant_id(self) -> str:
        """The tenant's id; "" without credentials."""
        tenant = getattr(self._request, "tenant", None)
        return tenant.pk if tenant is not None else ""


def trace_request(request: HttpRequest, trace_id: str) -> ApiHttpRequest:
    """The same request with the attributes that every one has, whoever calls."""
    api_request = cast(ApiHttpRequest, request)
    api_request.trace_id, api_request.on_behalf_of, api_request.failed_login = trace_id, "", ""
    api_request.transaction_scope, api_request.rate_limit, api_request.is_counted = None, None, False
    api_request.audit, api_request.afterwards = {}, []
    return api_request
