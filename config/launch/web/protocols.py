"""uvicorn's protocols with the bounds that it leaves to a proxy in front.

A request's head ends within 64 KiB (and what one read brings) and 30 s; of a body, or of a chunk's or trailer's line,
something comes every 30 s; a WebSocket that takes nothing in is gone ten seconds after it was closed. An offer to
upgrade to anything but a WebSocket is not taken up, as RFC 9110 §7.8 lets a server do.
"""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from config.env import env_float

MAX_HEAD = 64 * 1024  # bytes of a request's line and headers; of its trailers; of one chunk's line
HEAD_S = env_float("WEB_HEAD_S", 30.0, least=0.1)
CLOSE_S = 10.0  # in which a client must have taken what was sent to it before the close
MAX_SOCKETS = 3072  # WebSockets and requests at a time, of the 4096 that requests may be (--limit-concurrency)
HOP = frozenset({b"upgrade", b"connection", b"http2-settings"})


def _refusal(status: str, text: str) -> bytes:
    body = f"{text}\r\n".encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"connection: close\r\n\r\n" + body


TOO_LARGE = _refusal("431 Request Header Fields Too Large", "The request's headers are larger than 64 KiB.")
TOO_MANY = _refusal("503 Service Unavailable", "There are too many connections; try again later.")
NO_TUNNEL = _refusal("501 Not Implemented", "This is no proxy.")
NO_HANDSHAKE = _refusal("400 Bad Request", "This is no WebSocket handshake.")


class Http(HttpToolsProtocol):
    """HTTP/1.1 with bounds on a request's head, and on the time between two pieces of it."""

    transport: asyncio.Transport
    timer: asyncio.TimerHandle | None = None  # for the client to send the rest
    in_head = in_body = False  # of a request that is not complete
    message_ended = False  # the last read contained the end of a request
    unparsed_bytes = 0  # since the parser last recognised a part of a request
    trailer_bytes = 0
    ignore_upgrade = False  # the offer of an upgrade that is not taken up

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected: HEAD_S seconds for its request's head."""
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """A piece of a request."""
        self.message_ended, self.ignore_upgrade = False, False
        self.unparsed_bytes += len(data)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._on_upgrade_offer(data[offer.args[0] :])
            return
        except httptools.HttpParserError:
            self._refuse_nonsense()
            return
        if not self.transport.is_closing():
            self._check_progress()

    def _check_progress(self) -> None:
        """Refuse a head or trailers that are too large; else wait for the next piece, if one is due."""
        if (self.unparsed_bytes > MAX_HEAD and not self.message_ended) or self.trailer_bytes > MAX_HEAD:
            self._refuse(TOO_LARGE)
        elif self.in_body:
            self._start_timer(restart=True)
        elif self.in_head or self.cycle is None or self.cycle.response_complete:
            self._start_timer()
        else:
            self._stop_timer()

    def _refuse_nonsense(self) -> None:
        self._stop_timer()
        self.send_400_response("Invalid HTTP request received.")

    def _refuse(self, answer: bytes) -> None:
        self._stop_timer()
        self.transport.write(answer)
        self.transport.close()

    # ---- an offer to upgrade to another protocol

    def _on_upgrade_offer(self, rest: bytes) -> None:
        self._stop_timer()
        if self._should_upgrade():
            self.handle_websocket_upgrade()
        elif self.parser.get_method() == b"CONNECT":
            self._refuse(NO_TUNNEL)
        else:  # the parser has taken the body for another protocol's: have it read the request without the offer
            lines = [b"%s %s HTTP/1.1" % (self.parser.get_method(), self.url)]
            lines += [name + b": " + value for name, value in self.headers if name not in HOP]
            if any(name == b"connection" and b"close" in value.lower() for name, value in self.headers):
                lines.append(b"connection: close")
            self.parser = httptools.HttpRequestParser(self)
            self.in_head = False
            self.unparsed_bytes = 0
            self.data_received(b"\r\n".join(lines) + b"\r\n\r\n" + rest)

    def handle_websocket_upgrade(self) -> None:
        """Make a WebSocket of this connection, if there is room for it."""
        self._stop_timer()
        if len(self.tasks) >= MAX_SOCKETS:
            self._refuse(TOO_MANY)
        else:
            super().handle_websocket_upgrade()

    # ---- the parser's callbacks

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.in_head, self.in_body, self.trailer_bytes = True, False, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of the head; trailers are counted and dropped."""
        if self.in_head:
            super().on_header(name, value)
        else:
            self.unparsed_bytes = 0
            self.trailer_bytes += len(name) + len(value)

    def on_headers_complete(self) -> None:
        self.in_head, self.in_body, self.unparsed_bytes = False, True, 0
        self._stop_timer()
        self.ignore_upgrade = self.parser.should_upgrade() and not self._should_upgrade()
        if not self.ignore_upgrade:
            super().on_headers_complete()

    def on_chunk_header(self) -> None:
        self.unparsed_bytes = 0

    def on_body(self, body: bytes) -> None:
        self.unparsed_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.in_body, self.unparsed_bytes, self.message_ended = False, 0, True
        if not self.ignore_upgrade:
            super().on_message_complete()

    # ---- time

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def _start_timer(self, restart: bool = False) -> None:
        if restart:
            self._stop_timer()
        if self.timer is None:
            self.timer = self.loop.call_later(HEAD_S, self._on_timeout)

    def _stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def _on_timeout(self) -> None:
        self.timer = None
        if self.flow.read_paused:  # the application does not read; the client is not to blame
            self._start_timer()
        else:
            self.transport.close()


class Socket(WebSocketsSansIOProtocol):
    """A WebSocket whose handshake is always answered, and that can be closed also when its client takes nothing in."""

    transport: asyncio.Transport
    end_timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """A piece of the handshake or of a message."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_complete and not self.transport.is_closing():
            self.handshake_complete = True
            self.transport.write(b"".join(self.conn.data_to_send()) or NO_HANDSHAKE)
            self.transport.close()

    async def send(self, message: MutableMapping[str, Any]) -> None:  # type: ignore[override]
        """Send it, unless the socket is closed; a close does not wait until the client has taken what is before it."""
        if self.close_sent:
            return
        if message["type"] == "websocket.close":
            self.writable.set()
            self._end_soon()
        await super().send(message)  # type: ignore[arg-type]

    def keepalive_timeout(self) -> None:
        """The client did not answer a ping."""
        super().keepalive_timeout()
        self._end_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.end_timer is not None:
            self.end_timer.cancel()
        super().connection_lost(exc)

    def _end_soon(self) -> None:
        if self.end_timer is None:
            self.end_timer = self.loop.call_later(CLOSE_S, self.transport.abort)
