"""Answers that come later: a view returns its answer as it is now, and with it what to wait for and how to look again.

The event loop waits (config/asgi.py), holding neither a thread nor a database connection. The second look is a
transaction of its own that sees the caller's tenant; who asks, and how often, was settled by the first.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.http import HttpResponseBase
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.tenancy import tenant_model
from config.database.threads import drop_dead_connections

ANEW = frozenset({"content-length"})  # headers of the first answer that say nothing about the second


@dataclass(frozen=True)
class Later:
    """What comes after the answer at hand: `until` returns when it is time, `look` gives the answer then."""

    view: APIView
    until: Callable[[], Awaitable[Any]]
    look: Callable[[], Response]

    def answer(self, first: HttpResponseBase) -> HttpResponseBase:
        """In a thread: the answer as it is now, with the headers of the first; a DomainError in the façade's format."""
        drop_dead_connections()
        view = self.view
        with tenant_model.request_scope():
            tenant_model.bind(view.request.tenant.pk)
            try:
                answer: Response = self.look()
            except Exception as fault:
                answer = view.handle_exception(fault)  # rendered already
                transaction.set_rollback(True)
        answer = view.finalize_response(view.request, answer, *view.args, **view.kwargs)
        for name, value in first.items():
            if name.lower() not in ANEW and name not in answer:
                answer[name] = value
        if isinstance(answer, Response):
            answer.render()
        answer["Content-Length"] = str(len(answer.content))
        return answer


def answer_later(
    view: APIView, first: Response, until: Callable[[], Awaitable[Any]], look: Callable[[], Response]
) -> Response:
    """The first answer, to be given only if nobody can wait; else look() is, once until() has returned."""
    first.later = Later(view, until, look)
    return first
