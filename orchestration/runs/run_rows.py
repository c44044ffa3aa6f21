"""Runs that no engine holds, moved by a request under the lock of their row."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from config.database.queries import load_queries
from config.values.json_types import JsonObject
from governance.audit import audit_log
from orchestration.models import Run, RunEvent, Status
from orchestration.runs.wake import wake

RELATIVES = load_queries("orchestration.runs", "sql/relatives.sql")


def lock_run(run_id: UUID, tenant_id: str) -> Run:
    """The run's row, locked until the transaction ends."""
    return Run.objects.for_tenant(tenant_id).select_for_update(no_key=True).get(pk=run_id)


def finish_run(run: Run, status: Status, result: Any, reason: str = "") -> None:
    """End a locked run that no engine holds; `reason` is its failure_reason."""
    run.status, run.result, run.failure_reason, run.due_at = status, result, reason, None
    run.finished_at = run.updated_at = timezone.now()
    if not run.attempt:  # no engine has put its start on record
        audit_log.append_record(_audit_record(run, "run_start"))
    audit_log.append_record(_audit_record(run, f"run_{status}"))
    run.save(update_fields=["status", "result", "failure_reason", "due_at", "finished_at", "updated_at"])


def _audit_record(run: Run, action: str) -> audit_log.AuditRecord:
    return audit_log.AuditRecord(run.tenant_id, action, "run", str(run.pk), run.created_by, run.on_behalf_of)


def append_events(run: Run, events: Iterable[tuple[str, JsonObject]]) -> None:
    """More (kind, payload) for a locked run that no engine holds, so that no seq can be used twice."""
    last = RunEvent.objects.for_tenant(run.tenant_id).filter(run_id=run.id).aggregate(last=Max("seq"))["last"] or 0
    rows = [
        RunEvent(tenant_id=run.tenant_id, run_id=run.id, seq=seq, kind=kind, payload=payload, ts=timezone.now())
        for seq, (kind, payload) in enumerate(events, start=last + 1)
    ]
    RunEvent.all_tenants.bulk_create(rows)
    transaction.on_commit(lambda: wake(changed_run=run.id))


def cancel_children(parents: list[UUID]) -> None:
    """Cancel the children of these runs, which have nobody to work for any more."""
    with connection.cursor() as cursor:
        cursor.execute(RELATIVES["cancel_children"], {"parents": parents})
