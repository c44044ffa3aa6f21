"""start, cancel, send: what a request may do to a run. With the journal, run_rows.py and decisions.py the only writers
of Run.status.

An engine that holds the run is only notified: it does the rest. A run that nobody holds is moved here, under its row's
lock.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.tenancy.tenant_model import everywhere
from config.database import prepared_statements
from config.errors import Conflict, IdempotencyConflict
from config.http import origin
from governance.budgets.reservations import open_run_budget
from governance.policies.evaluation import Decision, PolicyDenied
from orchestration.kinds import has_user_cap
from orchestration.models import FINAL, Run, Signal, Status
from orchestration.program.json_fragments import encode
from orchestration.runs import start_policy
from orchestration.runs.run_rows import RELATIVES, append_events, cancel_children, finish_run, lock_run
from orchestration.runs.wake import wake

MAX_SIGNALS = 1_000  # unread events of a run: each wait looks through them
# The ORM would write all forty columns, and take longer to say so than PostgreSQL to do it; the rest have defaults.
COLUMNS = (
    *("id", "tenant_id", "kind", "subject_id", "subject_version", "mode", "input", "created_by", "on_behalf_of"),
    *("app_id", "app_action_id", "trigger", "trace_id", "idempotency_key", "request_hash", "priority", "due_at"),
    *("origin", "policy", "budget_ids", "cost_limit_micro", "calls_limit", "latency_limit_ms"),
    *("has_user_cap", "created_at", "updated_at"),
)
JSON_COLUMNS = ("input", "trigger", "origin", "policy")
INSERT = f"INSERT INTO orchestration_run ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"
INSERT_WITH_DECISION = f"WITH decision AS ({start_policy.INSERT_DECISION}) {INSERT}"


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
    coerce: Callable[[Any], Any] | None = None,
    **more: Any,
) -> tuple[Run, bool]:
    """(run, True), or (the run that this idempotency key has started before, False); wakes the engines.

    `coerce` makes the input fit before policies judge it, or raises Invalid. `role`: the caller's. `rules_stamp`: see
    rules_of(). `more`: mode, created_by, on_behalf_of, app_id, app_action_id, trigger, trace_id, latency_limit_ms,
    priority. Raises IdempotencyConflict when the key came with another request, PolicyDenied by a policy.
    """
    if key is not None and (existing := _run_of_key(tenant_id, kind, key, request_hash)):
        return existing, False
    input = coerce(input) if coerce else input
    source, now = origin.current(), timezone.now()
    run = Run(
        id=uuid7(), tenant_id=tenant_id, kind=kind, input=input, subject_id=subject_id, subject_version=subject_version,
        idempotency_key=key, request_hash=request_hash, cost_limit_micro=cost_limit_micro, calls_limit=calls_limit,
        origin=source.run_origin(role), created_at=now, updated_at=now, due_at=now, **more,
    )  # fmt: skip
    decision = start_policy.check_start(run, role, rules_stamp)
    if decision.effect == "deny":
        raise start_refusal(tenant_id, decision)
    try:
        with transaction.atomic() if key is not None and connection.in_atomic_block else nullcontext():
            _insert(run, decision)
    except IntegrityError:  # the same key at the same time: the constraint decides, we ask
        existing = _run_of_key(tenant_id, kind, key or "", request_hash)
        if existing is None:
            raise
        return existing, False
    source.is_recorded = True  # with the run itself: its first write puts the start on record
    transaction.on_commit(wake)
    return run, True


def start_refusal(tenant_id: str, decision: Decision) -> PolicyDenied:
    """The refusal of a start, put on record: now, or once the transaction at hand is undone."""
    refusal, record = decision.refusal(), partial(start_policy.record_refusal, tenant_id, decision)
    if connection.in_atomic_block:
        refusal.afterwards = record
    else:
        record()
    return refusal


def _insert(run: Run, decision: Decision) -> None:
    """One statement for a run without limits of its own: the hot path, and a transaction only where it needs one."""
    has_limits = run.cost_limit_micro is not None or run.calls_limit is not None
    with transaction.atomic() if has_limits and not connection.in_atomic_block else nullcontext():
        if has_limits:
            run.budget_ids = open_run_budget(run.tenant_id, run.id, run.cost_limit_micro, run.calls_limit)
        run.has_user_cap = has_user_cap(run.kind, run.created_by)
        values = [getattr(run, name) for name in COLUMNS]
        for name in JSON_COLUMNS:
            value = getattr(run, name)
            values[COLUMNS.index(name)] = None if value is None else encode(value).decode()
        if decision.has_matches:
            decision_values = start_policy.decision_values(run.tenant_id, run.id, decision)
            prepared_statements.execute(INSERT_WITH_DECISION, [*decision_values, *values])
        elif run.idempotency_key is None:  # record_start() records the decision
            prepared_statements.execute_later(INSERT, values)
        else:  # another request may have used the key: that shows at once
            prepared_statements.execute(INSERT, values)


def _run_of_key(tenant_id: str, kind: str, key: str, request_hash: str) -> Run | None:
    run = Run.objects.for_tenant(tenant_id).filter(kind=kind, idempotency_key=key).first()
    if run and run.request_hash != request_hash:
        raise IdempotencyConflict
    return run


def cancel_run(run_id: UUID, tenant_id: str, actor: Actor | None = None) -> Run:
    """The run, cancelled, or with the cancel on its way to the engine that holds it.

    A finished run stays as it ended.
    """
    with transaction.atomic():
        run = lock_run(run_id, tenant_id)
        if run.status in FINAL:
            return run
        if run.owner is None:
            finish_run(run, Status.CANCELLED, {"cancelled": True})
            append_events(run, [("run_cancelled", {"by": str(actor.user_id) if actor else None})])
            cancel_children([run.id])
            if run.parent_id:
                transaction.on_commit(partial(notify_parent, run.parent_id))
        else:
            run.cancel_requested = run.is_notified = True
            run.save(update_fields=["cancel_requested", "is_notified"])
        transaction.on_commit(lambda: wake(notify=True))
    return run


def notify_parent(parent_id: UUID) -> None:
    """Have the run look at its children: one of them has ended. In a transaction of its own."""
    with everywhere(), connection.cursor() as cursor:
        cursor.execute(RELATIVES["notify_parents"], {"parents": [parent_id]})
    wake(notify=True)


def send_event(run_id: UUID, tenant_id: str, name: str, payload: Any) -> Signal:
    """The event, kept until a wait of that name takes it.

    Raises Conflict when the run is over, or has too many unread.
    """
    with transaction.atomic():
        run = lock_run(run_id, tenant_id)
        if run.status in FINAL:
            raise Conflict(f"The run is {run.status}; it takes no more events.")
        unread = Signal.objects.for_tenant(tenant_id).filter(run_id=run.id, taken_by="")
        if unread.count() >= MAX_SIGNALS:
            raise Conflict(f"The run has {MAX_SIGNALS} events that it has not read yet.")
        signal = Signal.all_tenants.create(tenant_id=tenant_id, run_id=run.id, name=name, payload=payload)
        if run.owner is not None or run.status == Status.PENDING:
            run.is_notified = True
        elif run.status == Status.RUNNING:
            run.due_at = timezone.now()
        run.save(update_fields=["is_notified", "due_at"])
        transaction.on_commit(lambda: wake(notify=True))
    return signal
