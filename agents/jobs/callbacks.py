"""The program "callback": waits for a job, its child, and tells its end to the job's callback_url, signed.

Delivery is tried again with backoff until the receiver answers 2xx; each try is an event, which is the delivery log.
"""

import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from agents.jobs.shapes import detail_json
from agents.models import AgentJob
from config.errors import DomainError
from config.fields import iso
from governance import outbound, vault
from governance.models import TenantSecret
from governance.outbound import OutboundRefused, Unreachable
from orchestration.models import Run, Status
from orchestration.programs import program
from orchestration.retry import Retry, Transient
from orchestration.webhooks import new_secret, signed

if TYPE_CHECKING:
    from orchestration.context import RunContext

KIND = "callback"
STEP = "job"
TRIED = "webhook_delivery"
RETRY = Retry(7, 5.0)  # over some five minutes
TIMEOUT_S = 10.0
GONE = 410  # the receiver says that it wants no more
TENANT_KEY = "regente.callback_secret"
EVENT = {Status.COMPLETED: "run_completed", Status.FAILED: "run_failed", Status.CANCELLED: "run_cancelled"}


class DeliveryRefused(DomainError):
    """The receiver does not want the callback."""

    status, code = 424, "DELIVERY_REFUSED"


@program(KIND)
async def call_back(ctx: "RunContext") -> dict[str, Any]:
    """{delivered: true, status}: the receiver's status code."""
    job_id = ctx.run.input["job_id"]
    ctx.deliver(await ctx.engine.inbox(ctx.run.id))  # it may have ended before we began to wait
    await ctx.child_end(STEP)
    return await ctx.step("delivery", _deliver, ctx, UUID(job_id), type="webhook", retry=RETRY)


async def _deliver(ctx: "RunContext", job_id: UUID) -> dict[str, Any]:
    url, secret, told = await ctx.database(partial(_message, ctx.run.tenant_id, job_id))
    message_id = f"msg_{ctx.run.id.hex}"
    began, status, fault, final = time.perf_counter(), None, "", False
    try:
        # Not by orjson: a job may hold whole numbers of more than 64 bits.
        body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
        headers = signed(secret, message_id, body) | {"content-type": "application/json"}
        # A redirect is no delivery: who follows one asks again without the body.
        answer = await outbound.request("POST", url, headers=headers, data=body, timeout_s=TIMEOUT_S, follow=False)
        status = answer.status
        fault, final = "" if answer.ok else f"The receiver answered {status}.", status == GONE
    except OutboundRefused as refusal:
        fault, final = refusal.message, True
    except Unreachable as gone:
        fault = str(gone)
    took = round((time.perf_counter() - began) * 1000)
    tried = {"url": shown(url), "webhook_id": message_id, "status": status, "error": fault or None}
    ctx.emit(TRIED, tried | {"duration_ms": took}, "delivery")
    if final:
        raise DeliveryRefused(fault)
    if fault:
        raise Transient(fault)
    return {"delivered": True, "status": status}


def _message(tenant_id: str, job_id: UUID) -> tuple[str, str, dict[str, Any]]:
    """(where to, the signing secret, the body)."""
    run = Run.objects.for_tenant(tenant_id).get(pk=job_id)
    row = AgentJob.objects.for_tenant(tenant_id).get(run_id=job_id)
    secret = vault.opened(row.sealed) if row.sealed else tenant_secret(tenant_id)
    told = {"type": EVENT[Status(run.status)], "timestamp": iso(timezone.now()), "data": detail_json(run, row)}
    return row.callback_url, str(secret), told


def tenant_secret(tenant_id: str) -> str:
    """The secret that signs the callbacks of this tenant; made when it is first asked for."""
    rows = TenantSecret.objects.for_tenant(tenant_id).filter(key=TENANT_KEY)
    if (row := rows.first()) is None:
        try:
            with transaction.atomic():
                made = vault.sealed(new_secret())
                row = TenantSecret.all_tenants.create(tenant_id=tenant_id, key=TENANT_KEY, sealed=made)
        except IntegrityError:  # somebody else asked at the same time
            row = rows.get()
    return str(vault.opened(row.sealed))


def shown(url: str) -> str:
    """The URL without its query, which may hold a token."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "…" if parts.query else "", ""))
