"""Where the work at hand comes from: the request's address, program and credential, for the record of what it does."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest

from config.values.json_types import JsonObject

MAX_PROGRAM_LENGTH = 300


@dataclass(slots=True)
class Origin:
    """A request; all empty: a command, or the product itself. `is_recorded`: what it does is on record already."""

    ip_address: str = ""
    user_agent: str = ""
    trace_id: str = ""
    key_id: UUID | None = None
    is_recorded: bool = False

    def run_origin(self, role: str) -> JsonObject:
        """The columns of a run's `origin`; the role is the caller's."""
        return {"role": role, "ip_address": self.ip_address, "user_agent": self.user_agent, "key_id": self.key_id}


_current: ContextVar[Origin | None] = ContextVar("origin", default=None)


def current() -> Origin:
    """Where the work at hand comes from."""
    return _current.get() or Origin()


def of(request: HttpRequest) -> Origin:
    """The request's."""
    program = request.META.get("HTTP_USER_AGENT", "").replace("\x00", "")
    return Origin(address(request), program[:MAX_PROGRAM_LENGTH], getattr(request, "trace_id", ""))


def address(request: HttpRequest) -> str:
    """The caller's address; behind a proxy of the operator's (BEHIND_TLS_PROXY) the one that the proxy tells."""
    if settings.BEHIND_TLS_PROXY:
        forwarded_for = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
        if forwarded_for:
            return forwarded_for[:64]
    return request.META.get("REMOTE_ADDR", "")[:64]


def enter(origin: Origin | None) -> None:
    """From here on, in this thread, the work comes from there."""
    _current.set(origin)


@contextmanager
def by_itself() -> Iterator[None]:
    """What is begun in here the product begins by itself, whoever's request has led to it."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)
