"""The web entry point: Django's synchronous stack on a fixed pool of threads, everything that waits on the event loop.

Views are plain synchronous code on kept database connections, which is the quickest way to run them
(docs/decisions/003-sync-views-async-waits.md). A view that wants its caller to wait says so with its answer
(config/http/deferred.py): the loop waits, holding no thread. Streams are async iterators.
"""

import asyncio
import contextlib
import gc
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
import django

django.setup()

from django.conf import settings  # noqa: E402
from django.core import signals  # noqa: E402
from django.core.handlers.asgi import ASGIHandler, get_script_prefix  # noqa: E402
from django.http import HttpResponse, HttpResponseBase  # noqa: E402
from django.urls import set_script_prefix  # noqa: E402

from accounts.tenancy import tenant_model  # noqa: E402
from config.database.address import connect_by_web_address  # noqa: E402
from config.database.threads import drop_dead_connections  # noqa: E402
from config.http.deferred import DeferrableResponse  # noqa: E402
from config.processes.reports import start_reports  # noqa: E402
from config.sockets import Event, Receive, Send, sockets  # noqa: E402

log = logging.getLogger(__name__)
GARBAGE = 20_000  # objects that may be on top of those of before until cycles among them are looked for
# Health checks decide whether this process lives: they are answered while all other threads wait for a database.
HEALTH = frozenset(("/healthz", "/api/v1/healthz", "/readyz", "/api/v1/system/health", "/api/v1/observability/health"))
MAX_DISCARD_LENGTH = 64 * 1024 * 1024  # of a body that is too large, so that the client gets to read why


class ClientGone(Exception):
    """The client went away before its request was complete."""


class Application(ASGIHandler):
    """Django's ASGI handler with the synchronous middleware stack on threads of its own."""

    def __init__(self) -> None:
        self.load_middleware(is_async=False)
        self.threads = ThreadPoolExecutor(settings.WEB_THREADS, "web")
        self.health_threads = ThreadPoolExecutor(2, "health")

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await sockets(scope, receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"no application for {scope['type']}")
        with contextlib.suppress(ClientGone):
            body = await self._body(receive)
            response = await self._answer(scope, body)
            await self._send(response, receive, send)

    async def _body(self, receive: Receive) -> bytes:
        """The request's body; of one that is too large just enough to see that."""
        parts, size = bytearray(), 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part = message.get("body", b"")
            size += len(part)
            if len(parts) <= settings.FILE_BODY_LIMIT:
                parts += part
            if not message.get("more_body", False) or size > MAX_DISCARD_LENGTH:
                return bytes(parts)

    async def _answer(self, scope: Event, body: bytes) -> HttpResponseBase:
        loop = asyncio.get_running_loop()
        threads = self.health_threads if scope["path"].rstrip("/") in HEALTH else self.threads
        response = await loop.run_in_executor(threads, self._respond, scope, body)
        deferred = response.deferred if isinstance(response, DeferrableResponse) else None
        if deferred is not None:
            try:
                await deferred.until()
                return await loop.run_in_executor(self.threads, deferred.response, response)
            except Exception:  # the database went away meanwhile: the first response is still true
                log.warning("a deferred response is sent as it was at first", exc_info=True)
        return response

    def _respond(self, scope: Event, body: bytes) -> HttpResponseBase:
        """In a thread: the whole of Django."""
        drop_dead_connections()
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, refusal = self.create_request(scope, BytesIO(body))
        if request is None:
            return refusal or HttpResponse(status=400)
        response = self.get_response(request)
        response._handler_class = self.__class__  # type: ignore[attr-defined]  # these three its stubs leave out
        if response.streaming and not response.is_async:  # type: ignore[attr-defined]
            response = _whole(response)
        if not response.streaming:
            response.close()  # here, so that connections are looked after in the thread that owns them
        return response

    async def _send(self, response: HttpResponseBase, receive: Receive, send: Send) -> None:
        if not response.streaming:
            await self.send_response(response, send)
            return
        sending = asyncio.create_task(self.send_response(response, send))
        leaving = asyncio.create_task(_wait_for_disconnect(receive))
        try:
            await asyncio.wait([sending, leaving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            response.close()


def _whole(stream: HttpResponseBase) -> HttpResponse:
    """A file of ours (a style sheet, an icon), read here rather than on the event loop."""
    response = HttpResponse(b"".join(stream), status=stream.status_code)
    response.headers, response.cookies = stream.headers, stream.cookies
    response._resource_closers.append(stream.close)  # type: ignore[attr-defined]
    return response


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def work_as_web() -> None:
    """Have this process' database connections made by the web's address and as its role, and report it."""
    connect_by_web_address()
    tenant_model.connect_as(tenant_model.APP)
    start_reports("web")


application = Application()
# What is there now stays: nothing in it has to be looked at again by each collection of what requests leave behind.
gc.collect()
gc.freeze()
gc.set_threshold(GARBAGE)
