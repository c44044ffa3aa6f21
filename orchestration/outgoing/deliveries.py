"""One try to deliver something to a URL, on record in the events of the run that delivers: its delivery log."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from config.errors import DomainError
from config.outbound import client
from config.outbound.client import OutboundRefused, Unreachable
from orchestration.program.retry import Retry, Transient

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

RETRY = Retry(7, 5.0)  # over some five minutes
TIMEOUT_S = 10.0
GONE = 410  # the receiver says that it wants no more
STEP = "delivery"


class DeliveryRefused(DomainError):
    """The receiver does not want it."""

    status, code = 424, "DELIVERY_REFUSED"


@dataclass(frozen=True)
class Parcel:
    """What goes where. `id` stays the same over all tries, so that a receiver can tell a repeated one."""

    url: str
    body: bytes
    headers: dict[str, str]
    id: str
    path_is_secret: bool = False  # who knows the URL may post to it


async def deliver(ctx: "RunContext", event: str, parcel: Parcel) -> dict[str, Any]:
    """{delivered: true, status}: the receiver's status code. Transient if a later try may succeed."""
    began, status, fault, final = time.perf_counter(), None, "", False
    try:
        headers = parcel.headers | {"content-type": "application/json"}
        # A redirect is no delivery: who follows one asks again without the body.
        answer = await client.request(
            "POST", parcel.url, headers=headers, data=parcel.body, timeout_s=TIMEOUT_S, follow=False
        )
        status = answer.status
        fault, final = "" if answer.ok else f"The receiver answered {status}.", status == GONE
    except OutboundRefused as refusal:
        fault, final = refusal.message, True
    except Unreachable as gone:
        fault = str(gone)
    took = round((time.perf_counter() - began) * 1000)
    where = {"url": shown(parcel.url, parcel.path_is_secret), "webhook_id": parcel.id}
    ctx.emit(event, where | {"status": status, "error": fault or None, "duration_ms": took}, STEP)
    if final:
        raise DeliveryRefused(fault)
    if fault:
        raise Transient(fault)
    return {"delivered": True, "status": status}


def shown(url: str, path_is_secret: bool = False) -> str:
    """The URL without its query, which may hold a token, and without its path where that is one."""
    parts = urlsplit(url)
    path = "/…" if path_is_secret else parts.path
    return urlunsplit((parts.scheme, parts.netloc, path, "…" if parts.query else "", ""))
