"""Who may follow a run: asked when a stream or a monitor begins, and again every CHECK_INTERVAL_S while it is open.

Between two checks neither a thread nor a database connection is held.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.http import HttpRequest

from accounts.login.authentication import Identity, authenticate_token, credential, establish
from accounts.tenancy import tenant_model
from accounts.tenancy.tenant_choice import HEADER, choose_tenant
from config.database.threads import drop_dead_connections
from config.errors import NotFound, TenantSuspended, Unauthorized
from config.http import origin
from config.http.api_request import ApiHttpRequest, trace_request
from config.rate_limits import limiter
from orchestration.models import Run
from orchestration.runs.lookup import find_run

CHECK_INTERVAL_S = 60.0
THREADS = 2

threads = ThreadPoolExecutor(THREADS, "access")


@contextmanager
def caller_scope(request: ApiHttpRequest, token: str = "") -> Iterator[None]:
    """In a thread: a transaction of whoever the token (else the request's credential) stands for, in the tenant that
    the request names; a DomainError when that is nobody, or the tenant is not theirs. It counts against the rate
    limits unless request.is_counted.
    """
    drop_dead_connections()
    origin.enter(origin.of(request))
    try:
        with tenant_model.request_scope():
            establish(request, _identity(request, token))
            choose_tenant(request)
            yield
    finally:
        origin.enter(None)


def readable_run(request: Any, id: str, kind: str = "") -> Run:
    """The run with this id (of this kind, if one is named), when the caller may read it; else NotFound."""
    run = find_run(Run, request.tenant.pk, id, request.user.pk, kind)
    if run is None:
        raise NotFound("There is no such run.")
    return run


def check_access(request: ApiHttpRequest, run_id: str, token: str = "") -> None:
    """In a thread: a DomainError when the caller may not read the run."""
    with caller_scope(request, token):
        readable_run(request, run_id)


class Access:
    """A caller's right to follow a run, given a moment ago."""

    def __init__(self, request: ApiHttpRequest, run_id: str, token: str = "") -> None:
        self.check: Callable[[], None] = partial(check_access, request, run_id, token)
        self.next_at = asyncio.get_running_loop().time() + CHECK_INTERVAL_S

    async def renew(self) -> None:
        """Look again when it is time; a DomainError when the caller may no longer read the run."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self.next_at:
            await loop.run_in_executor(threads, self.check)
            self.next_at = loop.time() + CHECK_INTERVAL_S


def caller_of(request: ApiHttpRequest, tenant_id: str) -> ApiHttpRequest:
    """What of an answered request says who asks, as a request in this tenant that counts against no limit."""
    caller = trace_request(HttpRequest(), request.trace_id)
    caller.method = "GET"  # whether another site's page sends the cookie was settled by the first look
    caller.META, caller.COOKIES = request.META | {HEADER: tenant_id}, request.COOKIES
    caller.is_counted = True
    return caller


def _identity(request: ApiHttpRequest, token: str) -> Identity:
    """Who asks; counted against the rate limits."""
    try:
        secret = token or credential(request)
        if secret is None:
            raise Unauthorized
        identity = authenticate_token(secret)
    except (Unauthorized, TenantSuspended):
        limiter.pass_address(request)
        raise
    limiter.pass_caller(request, identity)
    return identity
