"""The web application behind its ASGI door, in this process: for tests of answers that wait, and of streams."""

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterable
from typing import Any, Self

import httpx
from asgiref.testing import ApplicationCommunicator

PATIENCE_S = 60.0
Headers = Iterable[tuple[bytes, bytes]]


class Front:
    """A client of the product's web application; `token` is whose. Streams are read to their end."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE_S)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE_S)

    async def _close(self) -> None:
        """End what followers keep on this loop."""
        from orchestration.live.change_listener import followers

        if followers.pool is not None:
            await followers.pool.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        followers.pool = None

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """What the coroutine returns, run on the application's loop."""
        return self._run(work)

    def request(self, method: str, path: str, token: str, **options: Any) -> httpx.Response:
        """The answer."""
        return self._run(self._request(method, path, token, options))

    async def _request(self, method: str, path: str, token: str, options: dict[str, Any]) -> httpx.Response:
        from config.asgi import application

        headers = {"Authorization": f"Bearer {token}"} | options.pop("headers", {})
        transport = httpx.ASGITransport(app=application)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=PATIENCE_S) as client:
            return await client.request(method, path, headers=headers, **options)

    def first_message(self, path: str, query: str = "", headers: Headers = ()) -> dict[str, Any]:
        """What the server sends first to a WebSocket that is open: a message, or its close."""
        return self._run(self._first_message(path, query, headers))

    async def _first_message(self, path: str, query: str, headers: Headers) -> dict[str, Any]:
        socket = await open_socket(path, query, headers)
        message: dict[str, Any] = await socket.receive_output(PATIENCE_S)
        await close_socket(socket)
        return message

    def post(self, path: str, token: str, body: Any, **options: Any) -> httpx.Response:
        """The answer to a POST."""
        return self.request("POST", path, token, json=body, **options)


async def open_socket(path: str, query: str, headers: Headers) -> ApplicationCommunicator:
    """A WebSocket that the application has accepted."""
    from config.asgi import application

    scope = {"type": "websocket", "path": path, "query_string": query.encode(), "headers": list(headers)}
    socket = ApplicationCommunicator(application, scope)
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(PATIENCE_S))["type"] == "websocket.accept"
    return socket


async def close_socket(socket: ApplicationCommunicator) -> None:
    """Leave, as a client does."""
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})
    await socket.wait(PATIENCE_S)


class OpenStream:
    """An answer that is read frame by frame while it is made."""

    def __init__(self, front: Front, path: str, token: str) -> None:
        self.front = front
        self.answer = front.call(self._open(path, token))
        self.left = b""

    async def _open(self, path: str, token: str) -> ApplicationCommunicator:
        from config.asgi import application

        path, _, query = path.partition("?")
        headers = [(b"authorization", f"Bearer {token}".encode()), (b"host", b"test")]
        scope = {"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": path}
        scope |= {"query_string": query.encode(), "headers": headers, "client": ("127.0.0.1", 1)}
        answer = ApplicationCommunicator(application, scope)
        await answer.send_input({"type": "http.request"})
        assert (await answer.receive_output(PATIENCE_S))["status"] == 200
        return answer

    def read(self) -> dict[str, Any] | None:
        """The next frame's body; None at the end."""
        while b"\n\n" not in self.left:
            message = self.front.call(self.answer.receive_output(PATIENCE_S))
            self.left += message.get("body", b"")
            if not message.get("more_body"):
                self.front.call(self.answer.wait(PATIENCE_S))
                return None
        block, self.left = self.left.split(b"\n\n", 1)
        return body_of(block.decode()) or self.read()

    def rest(self) -> list[dict[str, Any]]:
        """All frames to the end."""
        return list(iter(self.read, None))


class OpenSocket:
    """A WebSocket that is read message by message."""

    def __init__(self, front: Front, path: str, headers: Headers = ()) -> None:
        self.front = front
        path, _, query = path.partition("?")
        self.socket = front.call(open_socket(path, query, headers))

    def read(self) -> dict[str, Any]:
        """The next message: what it says, or {code, reason} of the close."""
        message = self.front.call(self.socket.receive_output(PATIENCE_S))
        if message["type"] == "websocket.close":
            return {"code": message["code"], "reason": message.get("reason", "")}
        body: dict[str, Any] = json.loads(message["text"])
        return body

    def rest(self) -> list[dict[str, Any]]:
        """All messages up to the close."""
        messages = [self.read()]
        while "code" not in messages[-1]:
            messages.append(self.read())
        self.front.call(close_socket(self.socket))
        return messages


def frames(answer: httpx.Response) -> list[dict[str, Any]]:
    """The bodies of an SSE answer; `id` is put into each that has one."""
    assert answer.status_code == 200, answer.text
    return [body for block in answer.text.split("\n\n") if (body := body_of(block))]


def body_of(block: str) -> dict[str, Any] | None:
    """The body of an SSE frame, with its `id` when it has one; None of a comment."""
    lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
    if "data" not in lines:
        return None
    body: dict[str, Any] = json.loads(lines["data"])
    return body | ({"id": lines["id"]} if "id" in lines else {})
