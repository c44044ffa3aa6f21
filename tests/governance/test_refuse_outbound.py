"""What the guarded client refuses to call: a table of hostile URLs, and a canary that nothing may reach."""

import asyncio
import gzip
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from config.outbound.client import Call, OutboundClient, OutboundRefused, Unreachable
from tests.agents.far_end import FarEnd, Hit

# {p} is the canary's port.
TABLE = (Path(__file__).parent / "hostile_urls.txt").read_text().splitlines()
UNPRINTABLE = [
    "",
    "http://127.0.0.1:{p}\t/",
    " http://127.0.0.1:{p}/",
    "http://127.0.0.1:{p}/ HTTP/1.1\r\nX: y",
    "http://127.0.0.1:{p}/\r\nHost: x",
    "http://127.0.0.1:{p}/\x00",
    "http://public.test/" + "a" * 5000,
]
HOSTILE = [*(line for line in TABLE if not line.startswith("#")), *UNPRINTABLE]
NAMES = {
    "localhost": ["127.0.0.1", "::1"],
    "canary.test": ["127.0.0.1"],
    "metadata.test": ["169.254.169.254"],
    "mapped.test": ["::ffff:127.0.0.1"],
    "six.test": ["::1"],
    "nat64.test": ["64:ff9b::7f00:1"],
    "sixtofour.test": ["2002:7f00:1::1"],
    "multicast.test": ["224.0.0.1", "ff02::1"],
    "cgnat.test": ["100.100.100.200"],
    "any.test": ["0.0.0.0", "::"],
    "linklocal.test": ["fe80::1"],
    "all-private.test": ["10.0.0.1", "127.0.0.1", "192.168.0.1"],
    "xn--canry-xqa.test": ["127.0.0.1"],
}


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of the tests' names."""
    return NAMES[host.lower().rstrip(".")]


def call(url: str, resolver: Any = resolve, **options: Any) -> Any:
    """One GET by a client of its own."""

    async def once() -> Any:
        client = OutboundClient(resolver)
        try:
            return await client.request(
                options.pop("method", "GET"), url, timeout_s=options.pop("timeout_s", 3.0), **options
            )
        finally:
            await client.close()

    return asyncio.run(once())


@pytest.fixture(autouse=True)
def nothing_allowed(settings: Any) -> None:
    """The operator allows no private address."""
    settings.OUTBOUND_ALLOW = []


@pytest.fixture(scope="module")
def canary() -> Iterator[FarEnd]:
    """A server on the loopback addresses of both families that nothing may connect to."""
    with FarEnd(host="::") as server:
        yield server


@pytest.fixture()
def near(settings: Any) -> Iterator[FarEnd]:
    """A server that the operator allows: 127.0.0.2."""
    settings.OUTBOUND_ALLOW = ["127.0.0.2"]
    with FarEnd(host="127.0.0.2") as server:
        yield server


def test_the_table_is_long_enough() -> None:
    assert len(set(HOSTILE)) >= 138


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_url_is_refused_and_reaches_nobody(canary: FarEnd, url: str) -> None:
    with pytest.raises(OutboundRefused):
        call(url.replace("{p}", str(canary.port)))
    assert canary.connections == 0


ELSEWHERE = ["http://127.0.0.1:{p}/", "http://2130706433:{p}/", "http://canary.test:{p}/", "http://[::1]:{p}/"]
REFUSED_URLS = ["//127.0.0.1:{p}/", "file:///etc/passwd", "http://user:x@127.0.0.2:{p}/"]


@pytest.mark.parametrize("to", [*ELSEWHERE, *REFUSED_URLS])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_checked_like_the_first_url(canary: FarEnd, near: FarEnd, to: str, status: int) -> None:
    near.answer = lambda _: (status, {"location": to.replace("{p}", str(canary.port))}, b"")
    with pytest.raises(OutboundRefused):
        call(near.url)
    assert len(near.hits) == 1 and canary.connections == 0


def test_a_name_that_is_bound_anew_is_refused_the_second_time(canary: FarEnd, near: FarEnd) -> None:
    answers = iter([["127.0.0.2"], ["127.0.0.1"], ["127.0.0.1"]])

    async def rebinding(host: str, port: int) -> list[str]:
        return next(answers)

    near.answer = lambda _: (200, {"connection": "close"}, b"first")
    assert call(f"http://evil.test:{near.port}/", rebinding).body == b"first"
    with pytest.raises(OutboundRefused):
        call(f"http://evil.test:{canary.port}/", rebinding)
    assert canary.connections == 0


def test_of_several_addresses_only_permitted_ones_are_connected_to(near: FarEnd) -> None:
    async def resolve_mixed(host: str, port: int) -> list[str]:
        return ["127.0.0.1", "10.0.0.1", "127.0.0.2", "::1"]

    with FarEnd(host="127.0.0.1", port=near.port) as forbidden:
        assert call(f"http://mixed.test:{near.port}/", resolve_mixed).status == 200
        assert forbidden.connections == 0 and len(near.hits) == 1


def test_a_proxy_of_the_environment_is_not_used(canary: FarEnd, near: FarEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
    assert call(near.url).status == 200
    assert canary.connections == 0


def test_more_than_three_redirects_are_refused(near: FarEnd) -> None:
    near.answer = lambda request: (302, {"location": f"/{int(request.path.strip('/') or 0) + 1}"}, b"")
    with pytest.raises(OutboundRefused, match="more than 3"):
        call(near.url)
    assert len(near.hits) == 4


def test_https_is_never_left_for_http() -> None:
    with pytest.raises(OutboundRefused, match="https to http"):
        Call("GET", URL("https://public.test/"), {}, None).follow(302, "http://public.test/")


FRAMING = {"Host": "x", "Content-Length": "5", "Transfer-Encoding": "chunked", "Connection": "x", "X A": "y", "": "y"}
SPLITTING = {"X-A\r\nX-B": "y", "X-A": "y\r\nX-B: z", "X-Long": "a" * 9000}


@pytest.mark.parametrize("name,value", [*FRAMING.items(), *SPLITTING.items()])
def test_headers_that_would_change_the_request_are_refused(near: FarEnd, name: str, value: str) -> None:
    with pytest.raises(OutboundRefused, match="header"):
        call(near.url, headers={name: value})
    assert near.connections == 0


def test_an_unknown_method_is_refused(near: FarEnd) -> None:
    with pytest.raises(OutboundRefused, match="method"):
        call(near.url, method="CONNECT")


def _endless(file: Any) -> None:
    file.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
    try:
        while True:
            file.write(b"x" * 65_536)
    except OSError:
        return


def _bomb(file: Any) -> None:
    body = gzip.compress(b"\0" * 50_000_000)
    file.write(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(body) + body)


def _headers(file: Any) -> None:
    file.write(
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: y\r\n" % i for i in range(5000)) + b"content-length: 0\r\n\r\n"
    )


def _announce(file: Any) -> None:
    file.write(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n")


@pytest.mark.parametrize("stream", [_endless, _bomb, _headers, _announce])
def test_an_answer_without_measure_is_cut_off(near: FarEnd, stream: Any) -> None:
    near.stream = stream
    with pytest.raises((OutboundRefused, Unreachable)):
        call(near.url)


def test_a_body_that_never_ends_is_given_up_in_time(near: FarEnd) -> None:
    closed_event = threading.Event()

    def trickle(file: Any) -> None:
        file.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
        for _ in range(100):
            if closed_event.wait(0.05):
                return
            file.write(b".")
            file.flush()

    near.stream = trickle
    with pytest.raises(Unreachable, match=r"within 0\.3 s"):
        call(near.url, timeout_s=0.3)
    closed_event.set()


def test_the_operator_may_allow_a_host_by_its_name(canary_free: FarEnd, settings: Any) -> None:
    with pytest.raises(OutboundRefused):
        call(f"http://canary.test:{canary_free.port}/")
    settings.OUTBOUND_ALLOW = ["canary.test"]
    assert call(f"http://canary.test:{canary_free.port}/").status == 200


@pytest.fixture()
def canary_free() -> Iterator[FarEnd]:
    """A server on 127.0.0.1."""
    with FarEnd() as server:
        yield server


def test_a_redirect_to_another_host_takes_no_credentials_along(near: FarEnd) -> None:
    with FarEnd(host="127.0.0.2") as other:
        near.answer = lambda request: (307, {"location": f"{other.url}/there"}, b"")
        headers = {
            "Authorization": "Bearer s3cret",
            "X-Api-Key": "s3cret",
            "Cookie": "a=b",
            "Accept": "application/json",
        }
        assert call(near.url, method="POST", headers=headers, json={"a": 1}).json() == {"ok": True}
        (request,) = other.hits
    assert (
        "s3cret" not in str(request)
        and "cookie" not in request.headers
        and request.headers["accept"] == "application/json"
    )
    assert (request.method, request.body) == ("POST", b'{"a":1}')


def test_a_redirect_on_the_same_host_keeps_them(near: FarEnd) -> None:
    def redirect(request: Hit) -> Any:
        return (302, {"location": "/there"}, b"") if request.path == "/" else (200, {}, b"here")

    near.answer = redirect
    assert call(near.url, headers={"Authorization": "Bearer s3cret"}).text == "here"
    assert near.hits[1].headers["authorization"] == "Bearer s3cret"


def test_a_packed_body_is_unpacked(near: FarEnd) -> None:
    near.answer = lambda _: (200, {"content-encoding": "gzip"}, gzip.compress(b'{"n": 1}'))
    assert call(near.url).json() == {"n": 1}


def test_nobody_there_is_unreachable_not_refused(near: FarEnd) -> None:
    with FarEnd(host="127.0.0.2") as closed_end:
        url = closed_end.url
    with pytest.raises(Unreachable):
        call(url)
