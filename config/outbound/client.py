"""The one client for outgoing calls: webhooks, alerts, http tools, connections, callbacks.

It reaches public addresses and what OUTBOUND_ALLOW names. Names are resolved here, every address is checked, and the
checked address is the one that is connected to, so an answer of the DNS that changes in between gains nothing.
"""

import asyncio
import re
import socket
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from django.conf import settings
from yarl import URL

from config.errors import DomainError
from config.outbound.addresses import AllowList, allow_list, literal
from config.outbound.canonical_url import canonical_url
from config.outbound.charsets import text_of
from config.values.foreign_json import read_json, write_json

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
MAX_BYTES = 1024 * 1024
MAX_HOPS = 3
MAX_HEADERS = 50
MAX_HEADER_BYTES = 8190
CONNECT_S = 5.0
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PORTABLE_HEADERS = frozenset(
    {"accept", "accept-language", "content-type", "user-agent"}
)  # sent on to another host; others may be credentials
RESERVED_HEADERS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer", "expect"}
    | {"proxy-authorization", "proxy-connection", "accept-encoding"}
)
HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

Resolve = Callable[[str, int], Awaitable[list[str]]]


class OutboundRefused(DomainError):
    """This address may not be called."""

    code = "OUTBOUND_REFUSED"


class Unreachable(Exception):
    """The other side did not answer, or not properly; another try may succeed."""


@dataclass(frozen=True)
class Answer:
    """A response; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """True for 2xx."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as text, in the charset that it is in."""
        return text_of(self.body, self.headers.get("content-type", ""))

    def json(self) -> Any:
        """The body's JSON, cleaned; ValueError when it is none."""
        return read_json(self.text)

    def retry_after_s(self) -> float | None:
        """Seconds that the peer asks to wait, when it says so as a number."""
        value = self.headers.get("retry-after", "")
        return float(value) if value.isascii() and value.isdigit() else None


@dataclass(frozen=True)
class Call:
    """One hop of a request."""

    method: str
    url: URL
    headers: dict[str, str]
    body: bytes | None

    def follow(self, status: int, location: str) -> "Call":
        """The hop that a redirect asks for: checked like the first, without credentials on another host."""
        try:
            url = target(str(self.url.join(URL(location))))
        except (ValueError, IndexError):
            raise OutboundRefused(f"{self.url.host} redirects to something that is no URL.") from None
        if self.url.scheme == "https" and url.scheme == "http":
            raise OutboundRefused(f"{self.url.host} redirects from https to http.")
        headers = self.headers
        if url.origin() != self.url.origin():
            headers = {name: value for name, value in headers.items() if name in PORTABLE_HEADERS}
        if status in (307, 308) or self.method in ("GET", "HEAD"):
            return Call(self.method, url, headers, self.body)
        return Call("GET", url, {name: value for name, value in headers.items() if name != "content-type"}, None)


def target(url: str, allow: AllowList | None = None) -> URL:
    """The URL as it is called, as far as that shows without the DNS; raises OutboundRefused naming what is wrong."""
    try:
        parts = canonical_url(url)
    except ValueError as error:
        raise OutboundRefused(str(error)) from None
    host = parts.raw_host or ""
    address = literal(host)
    if address is not None and not (allow or _operators_list()).permits(host, address):
        raise OutboundRefused(_refusal(host))
    return parts


def _operators_list() -> AllowList:
    return allow_list(tuple(settings.OUTBOUND_ALLOW))


def _refusal(host: str) -> str:
    return f"{host} is not a public address; the operator can allow it with OUTBOUND_ALLOW."


async def system_resolve(host: str, port: int) -> list[str]:
    """The addresses that the system's resolver gives for a name."""
    loop = asyncio.get_running_loop()
    infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return list(dict.fromkeys(str(info[4][0]) for info in infos))


class _CheckedResolver(AbstractResolver):
    """A resolver that returns only addresses that may be reached."""

    def __init__(self, resolve: Resolve) -> None:
        self.lookup = resolve

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        """The permitted addresses of this name."""
        name, allow = host.lower().rstrip("."), _operators_list()
        addresses = [ip_address(text) for text in await self.lookup(host, port)]
        good = [address for address in addresses if allow.permits(name, address)]
        if addresses and not good:
            raise OutboundRefused(_refusal(host))
        families = {4: socket.AF_INET, 6: socket.AF_INET6}
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=str(a), port=port, family=families[a.version], proto=0, flags=flags)
            for a in good
        ]

    async def close(self) -> None:
        """Nothing to close: each lookup is complete."""


class OutboundClient:
    """Makes the calls; one session per event loop, which `close()` ends."""

    def __init__(self, resolve: Resolve = system_resolve) -> None:
        self.resolve = resolve
        self.sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, aiohttp.ClientSession] = WeakKeyDictionary()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        json: Any = None,
        data: bytes | str | None = None,
        timeout_s: float = 10.0,
        max_bytes: int = MAX_BYTES,
        follow: bool = True,
    ) -> Answer:
        """The answer, whatever its status; OutboundRefused when it may not be made, Unreachable when it failed."""
        call = Call(_method(method), target(url), *_payload(checked_headers(headers or {}), json, data))
        try:
            async with asyncio.timeout(timeout_s):
                for _ in range(MAX_HOPS + 1):
                    answer = await self._hop(call, max_bytes)
                    location = answer.headers.get("location")
                    if answer.status not in REDIRECTS or not location or not follow:
                        return answer
                    call = call.follow(answer.status, location)
        except TimeoutError:
            raise Unreachable(f"{call.url.host} did not answer within {timeout_s:g} s.") from None
        except (aiohttp.InvalidURL, ValueError) as error:
            raise OutboundRefused(f"The call cannot be made: {error}") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"{call.url.host}: {error or type(error).__name__}") from None
        raise OutboundRefused(f"{call.url.host} redirects more than {MAX_HOPS} times.")

    async def _hop(self, call: Call, max_bytes: int) -> Answer:
        async with self._session().request(
            call.method, call.url, headers=call.headers, data=call.body, allow_redirects=False
        ) as response:
            headers = {name.lower(): _header_text(value) for name, value in response.headers.items()}
            if call.method != "HEAD" and (response.content_length or 0) > max_bytes:
                raise _too_large(call, max_bytes)
            raw = bytearray()
            async for chunk in response.content.iter_chunked(65_536):
                raw += chunk
                if len(raw) > max_bytes:
                    raise _too_large(call, max_bytes)
            return Answer(response.status, headers, _decode(call, bytes(raw), headers, max_bytes))

    def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        session = self.sessions.get(loop)
        if session is None or session.closed:
            connector = aiohttp.TCPConnector(resolver=_CheckedResolver(self.resolve), use_dns_cache=False, limit=500)
            session = self.sessions[loop] = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # decoded here, with a bound
                trust_env=False,
                headers={"User-Agent": "Regente", "Accept-Encoding": "identity"},
                max_headers=MAX_HEADERS * 2,
                max_field_size=MAX_HEADER_BYTES,
            )
        return session

    async def close(self) -> None:
        """End this event loop's session; a later call opens a new one."""
        session = self.sessions.pop(asyncio.get_running_loop(), None)
        if session:
            await session.close()


def _header_text(value: str) -> str:
    """A header's value. What is no UTF-8, whose bytes aiohttp gives as half characters, is Latin-1, as HTTP had it."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value


def _method(method: str) -> str:
    if method.upper() not in METHODS:
        raise OutboundRefused(f"The method must be one of {', '.join(sorted(METHODS))}.")
    return method.upper()


def checked_headers(headers: dict[str, str]) -> dict[str, str]:
    """The headers with names in lower case; raises OutboundRefused for what could change the request's framing."""
    if len(headers) > MAX_HEADERS:
        raise OutboundRefused(f"More than {MAX_HEADERS} headers.")
    for name, value in headers.items():
        if not HEADER_NAME.fullmatch(name) or name.lower() in RESERVED_HEADERS:
            raise OutboundRefused(f"The header {name[:100]!r} cannot be set.")
        if (
            not isinstance(value, str)
            or len(value.encode()) > MAX_HEADER_BYTES
            or re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value)
        ):
            raise OutboundRefused(f"The header {name[:100]!r} must be one line of at most {MAX_HEADER_BYTES} bytes.")
    return {name.lower(): value for name, value in headers.items()}


def _payload(headers: dict[str, str], json: Any, data: bytes | str | None) -> tuple[dict[str, str], bytes | None]:
    """Headers and body of the request."""
    if json is not None:
        return {"content-type": "application/json"} | headers, write_json(json)
    return headers, data.encode() if isinstance(data, str) else data


def _decode(call: Call, raw: bytes, headers: dict[str, str], max_bytes: int) -> bytes:
    """The body without its content encoding, never unpacked beyond the limit."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity") or not raw:
        return raw
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise OutboundRefused(f"{call.url.host} answers in an encoding that was not asked for.")
    try:
        body = zlib.decompressobj(wbits=47).decompress(raw, max_bytes + 1)
    except zlib.error:
        raise OutboundRefused(f"{call.url.host} answers with a broken {encoding} body.") from None
    if len(body) > max_bytes:
        raise _too_large(call, max_bytes)
    return body


def _too_large(call: Call, max_bytes: int) -> OutboundRefused:
    return OutboundRefused(f"{call.url.host} answers with more than {max_bytes} bytes.")


_client = OutboundClient()
request = _client.request
close = _client.close
