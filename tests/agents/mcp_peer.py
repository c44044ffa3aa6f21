"""A real MCP server on loopback, by the protocol's own library, for tests of tools that are elsewhere."""

import threading
from typing import Any, Self

import uvicorn
from mcp.server import MCPServer
from starlette.types import Receive, Scope, Send

from tests.orchestration.running import until
from tests.product import free_port


class McpPeer:
    """Serves `add` and `break_it` over streamable HTTP; `seen` are the headers of the last request."""

    def __init__(self) -> None:
        self.seen: dict[str, str] = {}
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/mcp"

    def __enter__(self) -> Self:
        server = MCPServer("peer")

        @server.tool()
        def add(a: int, b: int) -> int:
            """The sum."""
            return a + b

        @server.tool()
        def break_it() -> str:
            """Fails."""
            raise ValueError("it went wrong")

        inner = server.streamable_http_app()

        async def noting(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                self.seen = {name.decode(): value.decode() for name, value in scope["headers"]}
            await inner(scope, receive, send)

        config: Any = uvicorn.Config(noting, host="127.0.0.1", port=self.port, log_level="error", lifespan="on")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        until(lambda: self.server.started)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join(10)
