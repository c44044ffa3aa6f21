"""The program "callback": waits for a job, its child, and posts its end to the job's callback_url, signed.

Delivery is tried again with backoff until the receiver answers 2xx; each try is an event, which is the delivery log.
"""

import json
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from django.utils import timezone

from agents.jobs.job import Job, count_attempts
from agents.jobs.serializers import JobSerializer
from agents.models import AgentJob
from config.http.fields import iso
from config.values.json_types import JsonObject
from governance import vault
from orchestration.models import Run, Status
from orchestration.outgoing.deliveries import RETRY, Delivery, deliver
from orchestration.outgoing.deliveries import STEP as DELIVERY
from orchestration.outgoing.webhooks import signature_headers, tenant_secret
from orchestration.program.registry import program

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

KIND = "callback"
JOB_STEP = "job"
DELIVERY_EVENT = "webhook_delivery"
EVENT_TYPES = {Status.COMPLETED: "run_completed", Status.FAILED: "run_failed", Status.CANCELLED: "run_cancelled"}


@program(KIND, internal=True)
async def call_back(ctx: "RunContext") -> JsonObject:
    """{delivered: true, status}: the receiver's status code."""
    job_id = ctx.run.input["job_id"]
    ctx.deliver(await ctx.engine.inbox(ctx.run.id))  # the job may have ended before this run began to wait
    await ctx.child_end(JOB_STEP)
    return await ctx.step(DELIVERY, _deliver, ctx, UUID(job_id), type="webhook", retry=RETRY)


async def _deliver(ctx: "RunContext", job_id: UUID) -> JsonObject:
    url, secret, payload = await ctx.database(partial(_payload, ctx.run.tenant_id, job_id))
    # Not by orjson: a job may hold whole numbers of more than 64 bits.
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    message_id = f"msg_{ctx.run.id.hex}"
    return await deliver(
        ctx, DELIVERY_EVENT, Delivery(url, body, signature_headers(secret, message_id, body), message_id)
    )


def _payload(tenant_id: str, job_id: UUID) -> tuple[str, str, JsonObject]:
    """(the URL, the signing secret, the payload)."""
    run = Run.objects.for_tenant(tenant_id).get(pk=job_id)
    row = AgentJob.objects.for_tenant(tenant_id).get(run_id=job_id)
    secret = vault.decrypt(row.sealed) if row.sealed else tenant_secret(tenant_id)
    data = JobSerializer.render(Job(run, row, count_attempts(run)))
    payload = {"type": EVENT_TYPES[Status(run.status)], "timestamp": iso(timezone.now()), "data": data}
    return row.callback_url, str(secret), payload
