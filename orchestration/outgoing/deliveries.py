"""One try to deliver something to a URL, on record in the events of the run that delivers: its delivery log."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from config.errors import DomainError
from config.outbound import client
from config.outbound.client import OutboundRefused, Unreachable
from config.values.json_types import JsonObject
from orchestration.program.retry import Retry, Transient

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

RETRY = Retry(7, 5.0)  # over some five minutes
TIMEOUT_S = 10.0
HTTP_GONE = 410  # the receiver wants no more
STEP = "delivery"


class DeliveryRefused(DomainError):
    """The receiver does not want it."""

    status, code = 424, "DELIVERY_REFUSED"


@dataclass(frozen=True)
class Delivery:
    """A request to send. `id` stays the same over all tries, so that a receiver can recognise a repeated one."""

    url: str
    body: bytes
    headers: dict[str, str]
    id: str
    has_secret_path: bool = False  # who knows the URL may post to it


async def deliver(ctx: "RunContext", event: str, delivery: Delivery) -> JsonObject:
    """{delivered: true, status}: the receiver's status code. Transient if a later try may succeed."""
    started, status, fault, final = time.perf_counter(), None, "", False
    try:
        headers = delivery.headers | {"content-type": "application/json"}
        # A redirect is no delivery: who follows one asks again without the body.
        answer = await client.request(
            "POST", delivery.url, headers=headers, data=delivery.body, timeout_s=TIMEOUT_S, follow=False
        )
        status = answer.status
        fault, final = "" if answer.ok else f"The receiver answered {status}.", status == HTTP_GONE
    except OutboundRefused as refusal:
        fault, final = refusal.message, True
    except Unreachable as unreachable:
        fault = str(unreachable)
    duration_ms = round((time.perf_counter() - started) * 1000)
    payload = {"url": masked_url(delivery.url, delivery.has_secret_path), "webhook_id": delivery.id}
    ctx.emit(event, payload | {"status": status, "error": fault or None, "duration_ms": duration_ms}, STEP)
    if final:
        raise DeliveryRefused(fault)
    if fault:
        raise Transient(fault)
    return {"delivered": True, "status": status}


def masked_url(url: str, has_secret_path: bool = False) -> str:
    """The URL without its query, which may hold a token, and without its path where that is one."""
    parts = urlsplit(url)
    path = "/…" if has_secret_path else parts.path
    return urlunsplit((parts.scheme, parts.netloc, path, "…" if parts.query else "", ""))
