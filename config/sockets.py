"""All WebSocket routes, each also under /api/v1 (seed 001, RULINGS §6 and §9)."""

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import URLRouter
from django.urls import re_path

from orchestration.live.consumers import POLICY_VIOLATION, RunMonitor
from teams.views.monitor import ExecutionMonitor


class UnknownPath(AsyncWebsocketConsumer):
    """Refuses a WebSocket at a path that has none."""

    async def connect(self) -> None:
        """Accept, so that the client can read the reason, and close."""
        await self.accept()
        await self.close(POLICY_VIOLATION, "There is no such WebSocket.")


routes = URLRouter(
    [
        re_path("^(?:api/v1/)?ws/executions/(?P<id>[^/]+)/monitor/?$", ExecutionMonitor.as_asgi()),
        re_path("^(?:api/v1/)?ws/runs/(?P<id>[^/]+)/monitor/?$", RunMonitor.as_asgi()),
        re_path("", UnknownPath.as_asgi()),
    ]
)

Event = dict[str, Any]  # of ASGI; also a connection's scope
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


async def sockets(scope: Any, receive: Receive, send: Send) -> None:
    """Serve one WebSocket."""

    async def send_message(message: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the client has gone; receive() reports it next
            await send(message)

    await routes(scope, receive, send_message)
