"""What every request gets: a trace id (the caller's X-Trace-ID when it is safe), a transaction, rate limit headers."""

import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import lru_cache
from io import SEEK_END
from uuid import uuid4

from django.contrib.admindocs.views import simplify_regex
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase

from accounts.tenancy import tenant_model
from config.http import origin
from config.http.api_request import ApiHttpRequest, trace_request
from config.processes.metrics import counter, histogram

PAGES = ("/admin", "/sso/")  # for browsers, with a session of Django's
SAFE = re.compile(r"[A-Za-z0-9._:-]{1,128}").fullmatch


LATENCY = histogram(
    "django_http_requests_latency_seconds_by_view_method",
    "Time that the views took to answer, by route; without what a stream or a wait takes after that.",
    ["view", "method"],
)
RESPONSES = counter(
    "django_http_responses_total_by_status_view_method", "Answers by status and route.", ["status", "view", "method"]
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@lru_cache(maxsize=1024)
def _path_of(route: str) -> str:
    """A route's pattern as a path with the names of its parts."""
    return simplify_regex(route.replace("\\", "")).removesuffix("/") if route else "<no route>"


class MetricsMiddleware:
    """Counts each request by its route: never by its path, which has ids in it and may be anything."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started_at = time.perf_counter()
        response = self.get_response(request)
        route = request.resolver_match.route if request.resolver_match else ""
        view = "/" if request.path_info == "/" else _path_of(route)
        method = request.method if request.method in METHODS else "<other>"
        LATENCY.labels(view, method).observe(time.perf_counter() - started_at)
        RESPONSES.labels(str(response.status_code), view, method).inc()
        return response


class TraceIdMiddleware:
    """Gives every request its `trace_id` and origin, and a body that came in chunks the length that parsers go by."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        header = request.META.get("HTTP_X_TRACE_ID", "")
        trace_id = header if SAFE(header) else uuid4().hex
        trace_request(request, trace_id)
        if request.method in ("POST", "PUT", "PATCH") and not request.META.get("CONTENT_LENGTH"):
            _set_content_length(request)
        origin.enter(origin.of(request))
        try:
            response = self.get_response(request)
        finally:
            origin.enter(None)
        response["X-Trace-ID"] = trace_id
        return response


class TransactionMiddleware:
    """One transaction per request, from authentication on, that sees the caller's tenant alone.

    A refusal leaves nothing half done; what an error writes nevertheless (DomainError.afterwards) gets a transaction of
    its own.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: ApiHttpRequest) -> HttpResponseBase:
        with ExitStack() as scope:
            request.transaction_scope = scope
            if request.path.startswith("/admin"):  # the operators, who see all tenants
                tenant_model.open_scope(request, tenant_model.WORKER)
            elif request.path.startswith("/sso/"):
                tenant_model.open_scope(request)
            response = self.get_response(request)
            if request.transaction_scope is None and response.status_code >= 400:
                transaction.set_rollback(True)
        for write in request.afterwards:
            with tenant_model.request_scope(tenant_model.WORKER):
                write()
        return response


class RateLimitMiddleware:
    """The headers about the caller's rate limits; the authenticator counts."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: ApiHttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.rate_limit is not None:
            for name, value in request.rate_limit.headers(in_seconds=request.path.startswith("/tasks")).items():
                response[name] = value
        return response


def _set_content_length(request: HttpRequest) -> None:
    # The web server read the whole body already (asgi.py); without a length the parsers would take it for empty.
    stream = getattr(request, "_stream", None)
    if stream is not None and stream.seekable():
        request.META["CONTENT_LENGTH"] = str(stream.seek(0, SEEK_END))
        stream.seek(0)


class _PagesOnly:
    """Works for the admin and single sign-on, and costs the API nothing: it has no sessions, and knows its users by
    itself.
    """

    get_response: Callable[[HttpRequest], HttpResponseBase]

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith(PAGES):
            return super().__call__(request)  # type: ignore[misc]
        return self.get_response(request)


class PageSessions(_PagesOnly, SessionMiddleware):
    """Django's sessions."""


class PageUsers(_PagesOnly, AuthenticationMiddleware):
    """Django's request.user."""


class PageMessages(_PagesOnly, MessageMiddleware):
    """Django's messages."""
