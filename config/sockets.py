"""All WebSocket routes, each also under /api/v1 (seed 001, RULINGS §6 and §9)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import URLRouter
from django.urls import re_path

from orchestration.consumers import POLICY_VIOLATION, RunMonitor
from teams.consumers import ExecutionMonitor


class Nowhere(AsyncWebsocketConsumer):
    """Answers whoever asks for a socket that there is not."""

    async def connect(self) -> None:
        """Accept, so that the client gets to read why, and close."""
        await self.accept()
        await self.close(POLICY_VIOLATION, "There is no such WebSocket.")


routes = URLRouter(
    [
        re_path("^(?:api/v1/)?ws/executions/(?P<id>[^/]+)/monitor/?$", ExecutionMonitor.as_asgi()),
        re_path("^(?:api/v1/)?ws/runs/(?P<id>[^/]+)/monitor/?$", RunMonitor.as_asgi()),
        re_path("", Nowhere.as_asgi()),
    ]
)

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class Line:
    """One socket between granian and a consumer, who listens all the time.

    granian sends a close only when nobody listens just then, and says afterwards that there is no transport; ASGI wants
    the consumer to hear that the socket is closed. It also raises for what is sent to a client that has gone, where
    ASGI wants nothing to happen.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self.listening: asyncio.Task[dict[str, Any]] | None = None
        self.closed: int | None = None
        self.told = asyncio.Event()  # the close is on its way: only now may the consumer clear up

    async def _listen(self) -> dict[str, Any]:
        return await self._receive()

    async def receive(self) -> dict[str, Any]:
        """What comes next: from the client, or that we have closed."""
        if self.closed is None:
            self.listening = asyncio.create_task(self._listen())
            await asyncio.wait([self.listening])
            if not self.listening.cancelled():
                return self.listening.result()
        await self.told.wait()
        return {"type": "websocket.disconnect", "code": self.closed or 1006}

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send it, unless the socket is closed."""
        if self.closed is not None:
            return
        closes = message["type"] == "websocket.close"
        if closes:
            self.closed = message.get("code", 1000)
            if self.listening is not None:
                self.listening.cancel()
                await asyncio.wait([self.listening])
        try:
            await self._send(message)
        except RuntimeError:  # the client has gone, as receive() is about to tell
            return
        finally:
            if closes:
                self.told.set()

    def hang_up(self) -> None:
        """Leave nothing listening."""
        if self.listening is not None:
            self.listening.cancel()


async def sockets(scope: Any, receive: Any, send: Any) -> None:
    """Serve one WebSocket."""
    line = Line(receive, send)
    try:
        await routes(scope, line.receive, line.send)
    finally:
        line.hang_up()
