"""Deferred responses: a view answers with the state of now, what to wait for, and how to answer once that has come.

The event loop waits (config/asgi.py), without a thread or a database connection. The second response is made in
a transaction of its own that sees the caller's tenant; the caller was authenticated and counted for the first one.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.http import HttpResponseBase
from rest_framework.response import Response

from accounts.tenancy import tenant_model
from config.database.threads import drop_dead_connections
from config.http.viewsets import ApiView

NOT_COPIED = frozenset({"content-length"})  # headers of the first response that do not hold for the second


@dataclass(frozen=True)
class Deferred:
    """The second response: `until` returns when it is time, `respond` makes it."""

    view: ApiView
    until: Callable[[], Awaitable[Any]]
    respond: Callable[[], Response]

    def response(self, first: HttpResponseBase) -> HttpResponseBase:
        """In a thread: the response of now, with the headers of the first; a DomainError in the façade's format."""
        drop_dead_connections()
        view = self.view
        with tenant_model.request_scope():
            tenant_model.bind(view.request.tenant.pk)
            try:
                response: Response = self.respond()
            except Exception as fault:
                response = view.handle_exception(fault)  # rendered already
                transaction.set_rollback(True)
        final = view.finalize_response(view.request, response, *view.args, **view.kwargs)
        for name, value in first.items():
            if name.lower() not in NOT_COPIED and name not in final:
                final[name] = value
        if isinstance(final, Response):
            final.render()
        final["Content-Length"] = str(len(final.content))
        return final


class DeferrableResponse(Response):
    """A response that is sent at once, or, after `defer`, replaced by a later one where the server can wait."""

    deferred: Deferred | None = None

    def defer(self, view: ApiView, until: Callable[[], Awaitable[Any]], respond: Callable[[], Response]) -> None:
        """Send respond()'s response instead, once until() has returned."""
        self.deferred = Deferred(view, until, respond)
