"""What the web server makes of clients that send too much, too little, or nothing that is HTTP."""

import socket
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from tests.product import Product, fresh_folder, started

PATIENCE_S = 30
LOGIN = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
CHUNKED = LOGIN + b"Transfer-Encoding: chunked\r\n\r\n"
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
    head, body = rest(line).split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ") and b"64 KiB" in body
    assert b"content-length: %d\r\n" % len(body) in head


def test_a_large_head_is_read(line: socket.socket) -> None:
    line.sendall(REQUEST + b"Connection: close\r\nX-Pad: " + b"x" * 50_000)
    line.sendall(b"\r\n\r\n")
    assert rest(line).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("begun", [b"", REQUEST, LOGIN + b"Content-Length: 500\r\n\r\n{", CHUNKED + b"1\r\n{\r\n"])
def test_half_a_request_is_not_waited_for_for_ever(line: socket.socket, begun: bytes) -> None:
    line.sendall(begun)
    assert rest(line) == b""


def test_blank_lines_do_not_keep_a_connection(line: socket.socket) -> None:
    line.sendall(REQUEST + b"\r\n")
    while b"uptime" not in line.recv(65536):
        pass
    line.sendall(b"\r\n")
    assert rest(line) == b""


def test_trailers_without_end_are_431(line: socket.socket) -> None:
    line.sendall(CHUNKED + b"2\r\n{}\r\n0\r\n" + b"X-Pad: y\r\n" * 12_000)
    assert b"HTTP/1.1 431 " in rest(line)


def test_a_connection_is_kept_for_the_next_request(live: Product, line: socket.socket) -> None:
    kept = HTTPConnection("127.0.0.1", int(live.port), timeout=PATIENCE_S)
    kept.connect()
    first = kept.sock
    for _ in range(2):
        kept.request("GET", "/healthz")
        assert kept.getresponse().read()
        rest(line)  # which is closed after a second: so long it has been idle when it asks again
    assert kept.sock is first
    kept.close()


@pytest.mark.parametrize("name", [b"h2c", b"TLS/1.2, h2c"])
@pytest.mark.parametrize("chunked", [False, True])
def test_an_offer_to_upgrade_is_passed_over_and_the_body_is_read(
    line: socket.socket, name: bytes, chunked: bool
) -> None:
    body = b'{"email": "nobody@example.com", "password": "wrong-Pa55word"}'
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: " + name + b"\r\nHTTP2-Settings: AAMAAABkAAQ\r\n"
    if chunked:
        line.sendall(CHUNKED[:-2] + offer + b"\r\n" + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    else:
        line.sendall(LOGIN + offer + b"Content-Length: %d\r\n\r\n" % len(body))
        line.sendall(body)
    assert line.recv(65536).startswith(b"HTTP/1.1 401 ")  # 400 without the body


def test_this_is_no_proxy(line: socket.socket) -> None:
    line.sendall(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
    assert rest(line).startswith(b"HTTP/1.1 501 ")


@pytest.mark.parametrize(
    ("more", "status"), [(b"X-Pad: " + b"x" * 9_000, b"431"), (b"Content-Length: 5", b"400"), (b"X-Pad: 1", b"400")]
)
def test_a_handshake_that_is_none_is_answered(line: socket.socket, more: bytes, status: bytes) -> None:
    line.sendall(b"GET /ws/runs/x/monitor HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")
    line.sendall(more + b"\r\n\r\n")
    assert rest(line).startswith(b"HTTP/1.1 " + status)


def test_what_is_no_http_is_400(line: socket.socket) -> None:
    line.sendall(b"EHLO mail.example.com\r\n\r\n")
    assert rest(line).startswith(b"HTTP/1.1 400 ")


def test_no_server_is_named(line: socket.socket) -> None:
    line.sendall(REQUEST + b"Connection: close\r\n\r\n")
    assert b"\nserver:" not in rest(line).lower()
