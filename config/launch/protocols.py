"""uvicorn's protocols with bounds that it leaves to a proxy in front: nobody holds a connection with half a request,
or with a WebSocket that takes nothing in.
"""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from config.env import env_float

HEAD_MOST = 64 * 1024  # bytes of a request's line and headers
HEAD_S = env_float("WEB_HEAD_S", 30.0, least=0.1)  # in which they must have come
CLOSE_S = 10.0  # in which a client must have taken what was sent to it before the close
TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 46\r\nconnection: close\r\n\r\nThe request's headers are larger than 64 KiB.\r\n"
)


class Http(HttpToolsProtocol):
    """HTTP/1.1 whose request heads are bounded in size and time."""

    transport: asyncio.Transport
    head_left = HEAD_MOST
    head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come: it has so long to say what it wants."""
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Some of a request."""
        waiting = self.head_timer is not None
        super().data_received(data)
        if waiting and self.head_timer is not None:  # the head is not complete even so
            self.head_left -= len(data)
            if self.head_left < 0 and not self.transport.is_closing():
                self.transport.write(TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        """Another request on a connection that was kept."""
        super().on_message_begin()
        if self.head_timer is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._head_is_there()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._head_is_there()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self.head_left = HEAD_MOST
        self.head_timer = self.loop.call_later(HEAD_S, self.transport.close)

    def _head_is_there(self) -> None:
        if self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None


class Socket(WebSocketsSansIOProtocol):
    """A WebSocket that can be closed also when its client takes nothing in."""

    transport: asyncio.Transport
    end_timer: asyncio.TimerHandle | None = None

    async def send(self, message: MutableMapping[str, Any]) -> None:  # type: ignore[override]
        """Send it; a close does not wait for the client to have taken what is before it."""
        if message["type"] == "websocket.close":
            self.writable.set()
            self._end_soon()
        await super().send(message)  # type: ignore[arg-type]

    def keepalive_timeout(self) -> None:
        """No answer to a ping."""
        super().keepalive_timeout()
        self._end_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        if self.end_timer is not None:
            self.end_timer.cancel()
        super().connection_lost(exc)

    def _end_soon(self) -> None:
        if self.end_timer is None:
            self.end_timer = self.loop.call_later(CLOSE_S, self.transport.abort)
