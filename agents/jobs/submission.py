"""Starting a job: the run, what it is about, and the run that tells of its end (seed 002)."""

import hashlib
import uuid
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from agents.jobs.callbacks import KIND as CALLBACK
from agents.jobs.callbacks import STEP
from agents.jobs.program import KIND
from agents.jobs.registry import JobAgent
from agents.models import AgentJob
from governance import vault
from orchestration.models import Run
from orchestration.runs.commands import start_run


def related_uuid(type: str, id: Any) -> uuid.UUID:
    """The id when it is a UUID, else one that is made of type and id (RULINGS §10)."""
    try:
        return uuid.UUID(str(id))
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_URL, f"{type}:{id}")


def header_key(key: str) -> str:
    """An Idempotency-Key header as it is kept: apart from the keys of bodies, which mean something else."""
    return f"header:{hashlib.sha256(key.encode()).hexdigest()}"


@dataclass(frozen=True)
class NewJob:
    """A job that is asked for. `fields` are start_run's: who asks, key and request_hash."""

    tenant_id: str
    agent: JobAgent
    input: dict[str, Any]
    related: dict[str, Any] | None
    callback_url: str
    callback_secret: str
    fields: dict[str, Any]


def started_by(tenant_id: str, key: str) -> Run | None:
    """The job that this key of a body has started before."""
    return Run.objects.for_tenant(tenant_id).filter(kind=KIND, idempotency_key=key).first()


def start_job(new: NewJob) -> tuple[Run, bool]:
    """(the job's run, whether it is new); PolicyDenied, IdempotencyConflict."""
    with transaction.atomic():
        run, created = start_run(
            tenant_id=new.tenant_id, kind=KIND, subject_id=new.agent.key, input=new.input, **new.fields
        )
        if created and (new.related or new.callback_url):
            _note(run, new)
    return run, created


def _note(run: Run, new: NewJob) -> None:
    row = AgentJob(tenant_id=new.tenant_id, run_id=run.id, callback_url=new.callback_url)
    if new.related:
        row.related_type = new.related["type"]
        row.related_id = related_uuid(new.related["type"], new.related["id"])
    if new.callback_url:
        row.sealed = vault.encrypt(new.callback_secret) if new.callback_secret else ""
        row.callback_run_id = _await_end(run, new)
    row.save(force_insert=True)


def _await_end(run: Run, new: NewJob) -> uuid.UUID:
    """The id of the run that waits for the job, its child, and then tells of it."""
    who = {name: new.fields[name] for name in ("created_by", "role", "on_behalf_of", "trace_id") if name in new.fields}
    waiting, _ = start_run(
        tenant_id=new.tenant_id, kind=CALLBACK, subject_id=str(run.id), input={"job_id": str(run.id)}, **who
    )
    Run.objects.for_tenant(new.tenant_id).filter(pk=run.pk).update(parent_id=waiting.id, parent_step=STEP)
    return waiting.id
