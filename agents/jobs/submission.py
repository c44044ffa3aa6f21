"""Starting a job: its run, the record of what it is about, and the run that calls back at its end (seed 002)."""

import hashlib
import uuid
from dataclasses import dataclass

from django.db import transaction

from agents.jobs.callbacks import JOB_STEP
from agents.jobs.callbacks import KIND as CALLBACK
from agents.jobs.program import KIND
from agents.jobs.registry import JobAgent
from agents.models import AgentJob
from config.values.json_types import JsonObject
from governance import vault
from orchestration.models import Run
from orchestration.runs.commands import start_run

CALLER_FIELDS = ("created_by", "role", "on_behalf_of", "trace_id")


def related_uuid(type: str, id: int | str) -> uuid.UUID:
    """The id when it is a UUID, else the UUID of type and id (RULINGS §10)."""
    try:
        return uuid.UUID(str(id))
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_URL, f"{type}:{id}")


def header_key(key: str) -> str:
    """The stored form of an Idempotency-Key header: it never equals a key of a body, which means something else."""
    return f"header:{hashlib.sha256(key.encode()).hexdigest()}"


@dataclass(frozen=True)
class NewJob:
    """A checked request for a job. `related` is {type, id}; `fields` are start_run's: caller, mode, key …"""

    tenant_id: str
    agent: JobAgent
    input: JsonObject
    related: JsonObject | None
    callback_url: str
    callback_secret: str
    fields: JsonObject


def find_job(tenant_id: str, key: str) -> Run | None:
    """The job that an earlier request has started with this idempotency key."""
    return Run.objects.for_tenant(tenant_id).filter(kind=KIND, idempotency_key=key).first()


def start_job(new: NewJob) -> tuple[Run, bool]:
    """(the job's run, whether it is new); PolicyDenied, IdempotencyConflict."""
    with transaction.atomic():
        run, created = start_run(
            tenant_id=new.tenant_id, kind=KIND, subject_id=new.agent.key, input=new.input, **new.fields
        )
        if created and (new.related or new.callback_url):
            _create_row(run, new)
    return run, created


def _create_row(run: Run, new: NewJob) -> None:
    row = AgentJob(tenant_id=new.tenant_id, run_id=run.id, callback_url=new.callback_url)
    if new.related:
        row.related_type = new.related["type"]
        row.related_id = related_uuid(new.related["type"], new.related["id"])
    if new.callback_url:
        row.sealed = vault.encrypt(new.callback_secret) if new.callback_secret else ""
        row.callback_run_id = _start_callback(run, new)
    row.save(force_insert=True)


def _start_callback(run: Run, new: NewJob) -> uuid.UUID:
    """The id of the run that waits for the job, its child, and calls back at its end."""
    caller = {name: new.fields[name] for name in CALLER_FIELDS if name in new.fields}
    callback, _ = start_run(
        tenant_id=new.tenant_id, kind=CALLBACK, subject_id=str(run.id), input={"job_id": str(run.id)}, **caller
    )
    Run.objects.for_tenant(new.tenant_id).filter(pk=run.pk).update(parent_id=callback.id, parent_step=JOB_STEP)
    return callback.id
