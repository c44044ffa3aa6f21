"""What the web server makes of clients that send too much, too little, or nothing that is HTTP."""

import socket
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from tests.product import Product, fresh_folder, started

PATIENCE_S = 30
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture(scope="module")
def live() -> Iterator[Product]:
    """A product that waits no longer than a second for a request's head."""
    with fresh_folder() as folder, started(folder, WEB_HEAD_S="1", WORKER_PROCESSES="1") as one:
        yield one.ready()


@pytest.fixture
def line(live: Product) -> Iterator[socket.socket]:
    """A connection on which nothing was said yet."""
    with socket.create_connection(("127.0.0.1", int(live.port)), timeout=PATIENCE_S) as one:
        yield one


def rest(line: socket.socket) -> bytes:
    """All that comes until the server closes."""
    parts = []
    while part := line.recv(65536):
        parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("filler", [b"X-Pad: " + b"x" * 100_000, b"X-Pad: y\r\n" * 10_000])
def test_a_head_without_end_is_431(line: socket.socket, filler: bytes) -> None:
    line.sendall(REQUEST + filler)
    answer = rest(line)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"64 KiB" in answer


def test_a_large_head_is_read(line: socket.socket) -> None:
    line.sendall(REQUEST + b"Connection: close\r\nX-Pad: " + b"x" * 50_000)
    line.sendall(b"\r\n\r\n")
    assert rest(line).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("begun", [b"", REQUEST])
def test_half_a_head_is_not_waited_for_for_ever(line: socket.socket, begun: bytes) -> None:
    line.sendall(begun)
    assert rest(line) == b""


def test_a_connection_is_kept_for_the_next_request(live: Product) -> None:
    kept = HTTPConnection("127.0.0.1", int(live.port), timeout=PATIENCE_S)
    kept.connect()
    first = kept.sock
    for _ in range(2):
        kept.request("GET", "/healthz")
        assert kept.getresponse().read()
    assert kept.sock is first
    kept.close()


def test_what_is_no_http_is_400(line: socket.socket) -> None:
    line.sendall(b"EHLO mail.example.com\r\n\r\n")
    assert rest(line).startswith(b"HTTP/1.1 400 ")


def test_no_server_is_named(line: socket.socket) -> None:
    line.sendall(REQUEST + b"Connection: close\r\n\r\n")
    assert b"\nserver:" not in rest(line).lower()
