"""The one spelling of a URL: what policies judge, records show and the outbound client sends are the same text.

Scheme and host are in lower case, the host is ASCII (IDNA) without a dot at its end, an address is in its short form;
the path is at least "/"; there is no default port, no dot segment and no fragment; octets that need no percent-encoding
are plain.
"""

import re
from typing import Any

from yarl import URL

from config.outbound.addresses import Address, OddHost, literal

MAX_URL = 4096
LENGTH = f"The URL must be a text of 1 to {MAX_URL} characters."
HOST_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")  # what programs read differently in a URL


def canonical_url(url: Any) -> URL:
    """The URL in its one spelling; ValueError with a sentence that says what is wrong with it."""
    if not isinstance(url, str) or not url or len(url) > MAX_URL:
        raise ValueError(LENGTH)
    if UNSAFE.search(url):
        raise ValueError("The URL holds blanks, control characters or backslashes; percent-encode them.")
    parts, address = _parse(url)
    host = (parts.raw_host or "").lower().rstrip(".")
    if parts.scheme not in ("http", "https"):
        raise ValueError("Only http and https URLs are called.")
    if not host or not parts.port:
        raise ValueError("The URL names no host, or port 0.")
    if parts.raw_user is not None or parts.raw_password is not None:
        raise ValueError("The URL holds a user or password; send credentials in a header.")
    if address is None and not HOST_NAME.fullmatch(host):
        raise ValueError("The URL's host is no valid name.")
    plain = parts.with_host(str(_plain(address) if address else host)).with_fragment(None)
    return _stable(plain if plain.raw_path != "/" else plain.with_path("/", encoded=True, keep_query=True))


def _parse(url: str) -> tuple[URL, Address | None]:
    """The URL, and the address that its host spells out, if it is none but a name."""
    try:
        parts = URL(url)
        parts.port  # noqa: B018  a port that is no number shows here
        return parts, literal((parts.raw_host or "").lower().rstrip("."))
    except OddHost:
        raise ValueError("The URL's host is an oddly written address; write it plainly, as in 203.0.113.7.") from None
    except (ValueError, IndexError):  # the parser fails so for some hosts with brackets
        raise ValueError("This is not a valid URL.") from None


def _plain(address: Address) -> Address:
    """An IPv4 address that is written as an IPv6 one (::ffff:203.0.113.7) is the IPv4 address that is connected to."""
    inner = address.ipv4_mapped if address.version == 6 else None
    return inner or address


def _stable(url: URL) -> URL:
    """The URL, whose text reads as itself: one that went on changing could be judged as one and sent as another."""
    text = str(url)
    if len(text) > MAX_URL:
        raise ValueError(LENGTH)
    if str(_parse(text)[0]) != text:
        raise ValueError("This is not a valid URL.")
    return url
