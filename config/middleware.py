"""What every request gets: a trace id (the caller's X-Trace-ID when it is safe), and how it stands with its limits."""

import re
from collections.abc import Callable
from io import SEEK_END
from uuid import uuid4

from django.http import HttpRequest, HttpResponseBase

SAFE = re.compile(r"[A-Za-z0-9._:-]{1,128}").fullmatch


class TraceIdMiddleware:
    """Gives every request its `trace_id`, and a body that came in chunks the length that parsers go by."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.META.get("HTTP_X_TRACE_ID", "")
        request.trace_id = trace_id = given if SAFE(given) else uuid4().hex
        if request.method in ("POST", "PUT", "PATCH") and not request.META.get("CONTENT_LENGTH"):
            _measure(request)
        response = self.get_response(request)
        response["X-Trace-ID"] = trace_id
        return response


class RateLimitMiddleware:
    """Tells how the caller stands with the rate limits; the authenticator counts."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        standing = getattr(request, "rate_limit", None)
        if standing is not None:
            for name, value in standing.headers().items():
                response[name] = value
        return response


def _measure(request: HttpRequest) -> None:
    # The web server read the whole body already (asgi.py); without a length the parsers would take it for empty.
    stream = getattr(request, "_stream", None)
    if stream is not None and stream.seekable():
        request.META["CONTENT_LENGTH"] = str(stream.seek(0, SEEK_END))
        stream.seek(0)
