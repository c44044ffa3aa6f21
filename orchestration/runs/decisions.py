"""A person's decision on a run's question: given once, under the run's lock, by somebody who may.

A run that no engine holds is moved here; one that an engine holds (another of its branches goes on) is only marked,
and its engine does the rest.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.permissions import RANK
from config.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from config.values.json_types import JsonObject
from orchestration.models import FINAL, Approval, Run, Status
from orchestration.program.registry import check_arguments
from orchestration.program.waits.approvals import IN_DOUBT
from orchestration.runs.commands import Actor
from orchestration.runs.run_rows import append_events, cancel_children, finish_run, lock_run
from orchestration.runs.wake import wake


class NotPaused(DomainError):
    """The run is not paused, so there is nothing to approve."""


class ApprovalNotFound(NotFound):
    """There is no such approval."""


@dataclass(frozen=True)
class Verdict:
    """What the person says; `arguments`: approve this call of the tool instead of the one in question."""

    approved: bool
    comment: str = ""
    arguments: JsonObject | None = None


def resume_run(run_id: UUID, tenant_id: str, actor: Actor, verdict: Verdict) -> Run:
    """The run, its oldest open question decided: running again after a yes, cancelled after a no.

    Raises NotPaused, or Forbidden when the question is for somebody else.
    """
    with transaction.atomic():
        run = lock_run(run_id, tenant_id)
        if run.status != Status.PAUSED:
            raise NotPaused(f"The run is {run.status}, not paused, so there is nothing to approve.")
        rows = Approval.objects.for_tenant(tenant_id).filter(run_id=run.id, approved__isnull=True)
        approval = rows.select_for_update().order_by("created_at", "step").first()
        if approval is None or _is_expired(approval):
            raise NotPaused("The approval has expired.")
        _decide(run, approval, actor, verdict)
    return run


def decide_approval(approval_id: UUID, tenant_id: str, actor: Actor, verdict: Verdict) -> Approval:
    """The approval, decided; Conflict when it was decided before, has expired, or its run is over."""
    rows = Approval.objects.for_tenant(tenant_id)
    run_id = rows.filter(pk=approval_id).values_list("run_id", flat=True).first()
    if run_id is None:
        raise ApprovalNotFound(id=str(approval_id))
    with transaction.atomic():
        run = lock_run(run_id, tenant_id)
        approval = rows.select_for_update().get(pk=approval_id)
        if approval.approved is not None:
            raise Conflict(
                "The approval was decided before.", approved=approval.approved, decided_by=str(approval.decided_by)
            )
        if run.status in FINAL:
            raise Conflict(f"The run is {run.status}, so there is nothing to decide.")
        if _is_expired(approval):
            raise Conflict("The approval has expired.")
        _decide(run, approval, actor, verdict)
    return approval


def _is_expired(approval: Approval) -> bool:
    return approval.expires_at is not None and approval.expires_at <= timezone.now()


def _decide(run: Run, approval: Approval, actor: Actor, verdict: Verdict) -> None:
    _check_actor(run, approval, actor)
    approval.approved, approval.comment = verdict.approved, verdict.comment
    approval.decided_by, approval.decided_at = actor.user_id, timezone.now()
    if verdict.arguments is not None:
        approval.edited = _checked_arguments(run, approval, verdict)
    approval.is_recorded = run.owner is None
    approval.save()
    if run.owner is not None:
        run.is_notified = True
        run.save(update_fields=["is_notified"])
    elif approval.approved:
        _resume(run)
        append_events(run, [("approval_decided", _payload(approval)), ("run_resumed", {"step_id": approval.step})])
    else:
        result = {"rejected": True, "comment": approval.comment}
        finish_run(run, Status.CANCELLED, result, "rejected")
        append_events(run, [("approval_decided", _payload(approval)), ("run_cancelled", result)])
        cancel_children([run.id])
    transaction.on_commit(lambda: wake(notify=True))


def _payload(approval: Approval) -> JsonObject:
    """What the event of the decision says."""
    payload = {
        "approved": approval.approved,
        "comment": approval.comment,
        "decided_by": str(approval.decided_by),
        "approval_id": str(approval.pk),
        "step_id": approval.step,
    }
    return payload | ({"arguments": approval.edited} if approval.edited is not None else {})


def _check_actor(run: Run, approval: Approval, actor: Actor) -> None:
    """Forbidden for those who may not decide this."""
    if RANK[actor.role] < RANK[approval.role]:
        sentence = f"This approval needs the role {approval.role}; yours is {actor.role}."
        raise Forbidden(sentence, required_role=approval.role)
    if approval.four_eyes and run.created_by == actor.user_id:
        raise Forbidden("This approval needs a second person: you have started the run yourself.")


def _checked_arguments(run: Run, approval: Approval, verdict: Verdict) -> JsonObject:
    """The arguments that are approved instead, fit for the tool."""
    if not verdict.approved:
        raise Invalid({"arguments": ["A rejection takes no arguments."]})
    if approval.kind == IN_DOUBT or not approval.tool_id or verdict.arguments is None:
        raise Invalid({"arguments": ["Only the arguments of a tool call can be edited."]})
    return check_arguments(run.tenant_id, approval.tool_id, verdict.arguments)


def _resume(run: Run) -> None:
    """Back to the queue; the time that a person took does not count towards the run's latency."""
    now = timezone.now()
    if run.deadline_at:
        run.deadline_at += now - run.updated_at if now > run.updated_at else timedelta(0)
    run.status, run.due_at, run.updated_at = Status.RUNNING, now, now
    run.save(update_fields=["status", "due_at", "updated_at", "deadline_at"])
