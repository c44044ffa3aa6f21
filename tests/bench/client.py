"""A lean HTTP/1.1 client on keep-alive connections, so that the load costs little of the machine that is measured."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Self

import orjson
import uvloop

CONNECTIONS = 32
MAX_HEAD = 64 * 1024


class Refused(SystemExit):
    """The server answered something else than was expected."""


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    body: bytes

    def json(self, status: int) -> Any:
        """The body, when the status is this one."""
        if self.status != status:
            raise Refused(f"HTTP {self.status} instead of {status}: {self.body[:500].decode(errors='replace')}")
        return orjson.loads(self.body)


class Connection:
    """One connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str) -> None:
        self.reader, self.writer = reader, writer
        self.common = b"Host: 127.0.0.1\r\nContent-Type: application/json\r\n"
        if token:
            self.common += b"Authorization: Bearer %s\r\n" % token.encode()

    @classmethod
    async def open(cls, port: int, token: str = "") -> Self:
        """A new connection to this machine's port."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=MAX_HEAD), token)

    def close(self) -> None:
        """Hang up."""
        self.writer.close()

    def _send(self, method: str, path: str, body: bytes, more: bytes) -> None:
        head = b"%s %s HTTP/1.1\r\n%s%sContent-Length: %d\r\n\r\n"
        self.writer.write(head % (method.encode(), path.encode(), self.common, more, len(body)) + body)

    async def _head(self) -> tuple[int, bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        return int(head[9:12]), head

    async def request(self, method: str, path: str, body: bytes = b"", more: bytes = b"") -> Answer:
        """The answer; `more` are further header lines, each with its end."""
        self._send(method, path, body, more)
        status, head = await self._head()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        return Answer(status, await self.reader.readexactly(length))

    async def events(self, path: str, body: Any = None) -> AsyncIterator[tuple[float, dict[str, Any]]]:
        """(when it came, what it says) of each frame of an SSE stream, got by GET, or by POST of this body."""
        method, sent = ("GET", b"") if body is None else ("POST", orjson.dumps(body))
        self._send(method, path, sent, b"Accept: text/event-stream\r\n")
        status, head = await self._head()
        if status != 200 or b"transfer-encoding: chunked" not in head:
            raise Refused(f"No stream but: {head.decode()}")
        text = b""
        while size := int(await self.reader.readline(), 16):
            text += (await self.reader.readexactly(size + 2))[:-2]
            arrived = time.time()
            *frames, text = text.split(b"\n\n")
            for frame in frames:
                if data := frame.partition(b"data: ")[2]:
                    yield arrived, orjson.loads(data)


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """The coroutine's result."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


async def flood(port: int, token: str, count: int, call: Callable[[Connection], Awaitable[Any]]) -> list[Any]:
    """What so many calls give, made over all connections at once, each as fast as its connection lets it."""
    left = iter(range(count))

    async def work() -> list[Any]:
        connection = await Connection.open(port, token)
        try:
            return [await call(connection) for _ in left]
        finally:
            connection.close()

    return [given for some in await asyncio.gather(*(work() for _ in range(CONNECTIONS))) for given in some]


async def log_in(port: int, email: str, password: str) -> str:
    """An access token."""
    connection = await Connection.open(port)
    answer = await connection.request(
        "POST", "/api/v1/auth/login", orjson.dumps({"email": email, "password": password})
    )
    connection.close()
    return str(answer.json(200)["access_token"])
