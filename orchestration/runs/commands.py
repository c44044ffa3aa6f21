"""start, cancel, send: what a request may do to a run. With journal.py and deciding.py the only
writers of Run.status.

A run that an engine holds is only poked: its owner does the rest. A run that nobody holds is moved here, under its
row's lock.
"""

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import Error, IntegrityError, connection, transaction
from django.db.models import Max
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.tenancy.tenant_model import everywhere
from config.database import prepared_statements
from config.errors import Conflict, IdempotencyConflict
from config.http import origin
from governance.audit import audit_log
from governance.budgets.reservations import open_run_budget
from governance.policies.evaluation import Decision, PolicyDenied
from orchestration.engine import claims
from orchestration.engine.journal import statements
from orchestration.models import FINAL, Run, RunEvent, Signal, Status
from orchestration.program import policy_checks
from orchestration.program.json_fragments import recordable
from orchestration.runs.wake import wake

MAX_SIGNALS = 1_000
# The ORM would write all forty columns, and take longer to say so than PostgreSQL to do it; the rest have defaults.
INSERTED = (
    *("id", "tenant_id", "kind", "subject_id", "subject_version", "mode", "input", "created_by", "on_behalf_of"),
    *(
        "app_id",
        "app_action_id",
        "trigger",
        "trace_id",
        "idempotency_key",
        "request_hash",
        "priority",
        "due_at",
        "origin",
        "policy",
    ),
    *("budget_ids", "cost_limit_micro", "calls_limit", "latency_limit_ms", "created_at", "updated_at"),
)
INSERT = f"INSERT INTO orchestration_run ({', '.join(INSERTED)}) VALUES ({', '.join(['%s'] * len(INSERTED))})"
DECIDED_AND_INSERT = f"WITH decided AS ({policy_checks.DECIDED}) {INSERT}"


@dataclass(frozen=True)
class Actor:
    """Who acts: a user's id and role in the tenant."""

    user_id: UUID
    role: str


def start_run(
    *,
    tenant_id: str,
    kind: str,
    input: Any,
    subject_id: str = "",
    subject_version: int | None = None,
    key: str | None = None,
    request_hash: str = "",
    cost_limit_micro: int | None = None,
    calls_limit: int | None = None,
    role: str = "",
    rules_stamp: str | None = None,
    fit: Callable[[Any], Any] | None = None,
    **more: Any,
) -> tuple[Run, bool]:
    """(run, True), or (the run that this idempotency key has started before, False); rings the engines.

    `fit` coerces the input, before policies judge it, and raises Invalid for one that cannot be taken. `role`: the
    caller's, for conditions of policies. `rules_stamp`: see rules_of(). `more`: mode, created_by,
    on_behalf_of, app_id, app_action_id, trigger, trace_id, latency_limit_ms, priority. Raises IdempotencyConflict when
    the key came with another request, PolicyDenied when a policy forbids the run.
    """
    if key is not None and (earlier := _started_before(tenant_id, kind, key, request_hash)):
        return earlier, False
    input = fit(input) if fit else input
    came, now = origin.current(), timezone.now()
    run = Run(
        id=uuid7(), tenant_id=tenant_id, kind=kind, input=input, subject_id=subject_id, subject_version=subject_version,
        idempotency_key=key, request_hash=request_hash, cost_limit_micro=cost_limit_micro, calls_limit=calls_limit,
        origin={"role": role, "ip_address": came.ip_address, "user_agent": came.user_agent, "key_id": came.key_id},
        created_at=now, updated_at=now, due_at=now, **more,
    )  # fmt: skip
    decision = policy_checks.check_start(run, role, rules_stamp)
    if decision.effect == "deny":
        raise denied(tenant_id, decision)
    try:
        with transaction.atomic() if key is not None and connection.in_atomic_block else nullcontext():
            _insert(run, decision)
    except IntegrityError:  # the same key at the same time: the constraint decides, we ask
        earlier = _started_before(tenant_id, kind, key or "", request_hash)
        if earlier is None:
            raise
        return earlier, False
    came.recorded = True  # with the run itself: its first write puts the start on record
    transaction.on_commit(wake)
    return run, True


def denied(tenant_id: str, decision: Decision) -> PolicyDenied:
    """The refusal of a start, put on record: now, or once the transaction at hand is undone."""
    refusal, keep = decision.refusal(), partial(policy_checks.keep_refusal, tenant_id, decision)
    if connection.in_atomic_block:
        refusal.afterwards = keep
    else:
        keep()
    return refusal


def _insert(run: Run, decision: Decision) -> None:
    """One statement for a run without limits of its own: the hot path, and a transaction only where it needs one."""
    limited = run.cost_limit_micro is not None or run.calls_limit is not None
    with transaction.atomic() if limited and not connection.in_atomic_block else nullcontext():
        if limited:
            run.budget_ids = open_run_budget(run.tenant_id, run.id, run.cost_limit_micro, run.calls_limit)
        values = [getattr(run, name) for name in INSERTED]
        for name in ("input", "trigger", "origin", "policy"):
            given = getattr(run, name)
            values[INSERTED.index(name)] = None if given is None else recordable(given).decode()
        if decision.has_matches:
            decided = policy_checks.decision_values(run.tenant_id, run.id, decision)
            prepared_statements.execute(DECIDED_AND_INSERT, [*decided, *values])
        elif run.idempotency_key is None:  # note_start() keeps the decision
            prepared_statements.execute_later(INSERT, values)
        else:  # another request may have used the key: that shows at once
            prepared_statements.execute(INSERT, values)


def _started_before(tenant_id: str, kind: str, key: str, request_hash: str) -> Run | None:
    earlier = Run.objects.for_tenant(tenant_id).filter(kind=kind, idempotency_key=key).first()
    if earlier and earlier.request_hash != request_hash:
        raise IdempotencyConflict
    return earlier


def cancel_run(run_id: UUID, tenant_id: str, actor: Actor | None = None) -> Run:
    """The run, cancelled, or with the cancel on its way to the engine that holds it.

    A finished run stays as it ended.
    """
    with transaction.atomic():
        run = locked(run_id, tenant_id)
        if run.status in FINAL:
            return run
        if run.owner is None:
            finish(run, Status.CANCELLED, {"cancelled": True})
            append(run, [("run_cancelled", {"by": str(actor.user_id) if actor else None})])
            abandon_children([run.id])
            if run.parent_id:
                transaction.on_commit(partial(tell_parent, run.parent_id))
        else:
            run.cancel_requested = run.poked = True
            run.save(update_fields=["cancel_requested", "poked"])
        transaction.on_commit(lambda: wake(poke=True))
    return run


def tell_parent(parent_id: UUID) -> None:
    """Have the run look at its children: one of them has ended. In a transaction of its own (writes.POKE)."""
    with everywhere(), connection.cursor() as cursor:
        cursor.execute(statements.POKE, [[parent_id]])
    wake(poke=True)


def send_event(run_id: UUID, tenant_id: str, name: str, payload: Any) -> Signal:
    """The event, kept until a wait of that name takes it.

    Raises Conflict when the run is over, or has too many unread.
    """
    with transaction.atomic():
        run = locked(run_id, tenant_id)
        if run.status in FINAL:
            raise Conflict(f"The run is {run.status}; it takes no more events.")
        unread = Signal.objects.for_tenant(tenant_id).filter(run_id=run.id, taken_by="")
        if unread.count() >= MAX_SIGNALS:
            raise Conflict(f"The run has {MAX_SIGNALS} events that it has not read yet.")
        sent = Signal.all_tenants.create(tenant_id=tenant_id, run_id=run.id, name=name, payload=payload)
        if run.owner is not None or run.status == Status.PENDING:
            run.poked = True
        elif run.status == Status.RUNNING:
            run.due_at = timezone.now()
        run.save(update_fields=["poked", "due_at"])
        transaction.on_commit(lambda: wake(poke=True))
    return sent


def sweep() -> int:
    """The number of runs that were taken back from dead engines."""
    with connection.cursor() as cursor:
        cursor.execute(claims.SWEEP, {"lease": settings.ENGINE_LEASE_S})
        return len(cursor.fetchall())


def runs_are_orphaned() -> bool:
    """Whether runs were left behind by engines of which none lives, so that each second counts; False while PostgreSQL
    does not tell. The connection is closed: who asks is about to fork.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(claims.ORPHANED)
            return bool(cursor.fetchone()[0])
    except Error:
        return False
    finally:
        connection.close()


def locked(run_id: UUID, tenant_id: str) -> Run:
    """The run's row, under its lock."""
    return Run.objects.for_tenant(tenant_id).select_for_update(no_key=True).get(pk=run_id)


def finish(run: Run, status: Status, result: Any, reason: str = "") -> None:
    """End a run that nobody holds, under its lock."""
    run.status, run.result, run.failure_reason, run.due_at = status, result, reason, None
    run.finished_at = run.updated_at = timezone.now()
    if not run.attempt:  # no engine has put its start on record
        audit_log.append_record(_audit_record(run, "run_start"))
    audit_log.append_record(_audit_record(run, f"run_{status}"))
    run.save(update_fields=["status", "result", "failure_reason", "due_at", "finished_at", "updated_at"])


def _audit_record(run: Run, action: str) -> audit_log.AuditRecord:
    return audit_log.AuditRecord(run.tenant_id, action, "run", str(run.pk), run.created_by, run.on_behalf_of)


def append(run: Run, events: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """More events of a run whose row we have locked and that nobody holds, so that no seq can be taken twice."""
    last = RunEvent.objects.for_tenant(run.tenant_id).filter(run_id=run.id).aggregate(last=Max("seq"))["last"] or 0
    rows = [
        RunEvent(tenant_id=run.tenant_id, run_id=run.id, seq=last + nth, kind=kind, payload=payload, ts=timezone.now())
        for nth, (kind, payload) in enumerate(events, start=1)
    ]
    RunEvent.all_tenants.bulk_create(rows)
    transaction.on_commit(lambda: wake(changed=run.id))


def abandon_children(parents: list[UUID]) -> None:
    """Cancel the children of these runs, which have nobody to work for any more."""
    with connection.cursor() as cursor:
        cursor.execute(statements.ABANDON, [parents])
