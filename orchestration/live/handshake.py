"""A WebSocket's handshake as a request, so that it is judged like one."""

import contextlib
from http.cookies import CookieError, SimpleCookie
from typing import Any

from django.http import HttpRequest, QueryDict

from config.http.api_request import ApiHttpRequest, trace_request


def handshake_request(scope: dict[str, Any]) -> ApiHttpRequest:
    """The request of this ASGI scope, as one that writes: a page elsewhere may not use the
    cookie (a browser sends it along, and asks nobody).
    """
    request = trace_request(HttpRequest(), "")
    request.method = "POST"
    request.GET = QueryDict(scope["query_string"])
    for name, value in scope["headers"]:
        if b"_" not in name:  # it would pass for the one with a dash
            key, text = "HTTP_" + name.decode("latin-1").upper().replace("-", "_"), value.decode("latin-1")
            request.META[key] = f"{request.META[key]},{text}" if key in request.META else text
    client = scope.get("client") or ("", 0)
    request.META |= {"REMOTE_ADDR": client[0], "SERVER_NAME": "localhost", "SERVER_PORT": "80"}
    with contextlib.suppress(CookieError):
        cookies = SimpleCookie(request.META.get("HTTP_COOKIE", ""))
        request.COOKIES = {name: morsel.value for name, morsel in cookies.items()}
    return request
