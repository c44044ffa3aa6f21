"""The network's far end: a real local HTTP server that records what reaches it and answers as a test tells it to."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6
from typing import Any, Self

Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Hit:
    """One request that arrived; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FarEnd:
    """A server on one loopback address. `connections` counts who connected, also without asking anything."""

    host: str = "127.0.0.1"
    port: int = 0
    hits: list[Hit] = field(default_factory=list)
    connections: int = 0
    answer: Callable[[Hit], Reply] = lambda hit: (200, {"content-type": "application/json"}, b'{"ok": true}')
    stream: Callable[[Any], None] | None = None  # writes the whole answer to the socket by itself

    def __enter__(self) -> Self:
        far_end = self

        class Server(ThreadingHTTPServer):
            address_family = AF_INET6 if ":" in far_end.host else ThreadingHTTPServer.address_family

            def get_request(self) -> Any:
                far_end.connections += 1
                return super().get_request()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                path = self.requestline.split()[1]  # self.path has fewer slashes at its beginning
                far_end.hits.append(hit := Hit(self.command, path, headers, body))
                if far_end.stream:
                    self.close_connection = True
                    return far_end.stream(self.wfile)
                status, own, content = far_end.answer(hit)
                self.send_response(status)
                for name, value in ({"content-length": str(len(content))} | own).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
                return None

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Keep the tests' output clean."""

        self.server = Server((self.host, self.port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"
