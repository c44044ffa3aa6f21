"""A person's answer to a run's question: given once, under the run's lock, by somebody who may.

A run that nobody holds is moved here; one that an engine holds (another of its branches goes on) is poked, and its
engine does the rest.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.permissions import RANK
from config.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from orchestration.models import FINAL, Approval, Run, Status
from orchestration.program.approvals import IN_DOUBT
from orchestration.program.registry import check_arguments
from orchestration.runs.commands import Actor, abandon_children, append, finish, locked
from orchestration.runs.wake import wake


class NotPaused(DomainError):
    """The run is not paused, so there is nothing to approve."""


class ApprovalNotFound(NotFound):
    """There is no such approval."""


@dataclass(frozen=True)
class Verdict:
    """What the person says; `arguments`: approve this call of the tool instead of the one that was asked about."""

    approved: bool
    comment: str = ""
    arguments: dict[str, Any] | None = None


def resume_run(run_id: UUID, tenant_id: str, actor: Actor, verdict: Verdict) -> Run:
    """The run, its oldest open question answered: running again after a yes, cancelled after a no.

    Raises NotPaused, or Forbidden when the question is for somebody else.
    """
    with transaction.atomic():
        run = locked(run_id, tenant_id)
        if run.status != Status.PAUSED:
            raise NotPaused(f"The run is {run.status}, not paused, so there is nothing to approve.")
        rows = Approval.objects.for_tenant(tenant_id).filter(run_id=run.id, approved__isnull=True)
        asked = rows.select_for_update().order_by("created_at", "step").first()
        if asked is None or _expired(asked):
            raise NotPaused("The approval has expired.")
        _decide(run, asked, actor, verdict)
    return run


def decide_approval(approval_id: UUID, tenant_id: str, actor: Actor, verdict: Verdict) -> Approval:
    """The approval, decided; Conflict when it was decided before, has expired, or its run is over."""
    rows = Approval.objects.for_tenant(tenant_id)
    found = rows.filter(pk=approval_id).first()
    if found is None:
        raise ApprovalNotFound(id=str(approval_id))
    with transaction.atomic():
        run = locked(found.run_id, tenant_id)
        asked = rows.select_for_update().get(pk=approval_id)
        if asked.approved is not None:
            raise Conflict(
                "The approval was decided before.", approved=asked.approved, decided_by=str(asked.decided_by)
            )
        if run.status in FINAL:
            raise Conflict(f"The run is {run.status}, so there is nothing to decide.")
        if _expired(asked):
            raise Conflict("The approval has expired.")
        _decide(run, asked, actor, verdict)
    return asked


def _expired(asked: Approval) -> bool:
    return asked.expires_at is not None and asked.expires_at <= timezone.now()


def _decide(run: Run, asked: Approval, actor: Actor, verdict: Verdict) -> None:
    _permit(run, asked, actor)
    asked.approved, asked.comment = verdict.approved, verdict.comment
    asked.decided_by, asked.decided_at = actor.user_id, timezone.now()
    if verdict.arguments is not None:
        asked.edited = _edited(run, asked, verdict)
    asked.told = run.owner is None
    asked.save()
    told = {
        "approved": asked.approved,
        "comment": asked.comment,
        "decided_by": str(actor.user_id),
        "approval_id": str(asked.pk),
        "step_id": asked.step,
    } | ({"arguments": asked.edited} if asked.edited is not None else {})
    if run.owner is not None:
        run.poked = True
        run.save(update_fields=["poked"])
    elif asked.approved:
        _resume(run)
        append(run, [("approval_decided", told), ("run_resumed", {"step_id": asked.step})])
    else:
        result = {"rejected": True, "comment": asked.comment}
        finish(run, Status.CANCELLED, result, "rejected")
        append(run, [("approval_decided", told), ("run_cancelled", result)])
        abandon_children([run.id])
    transaction.on_commit(lambda: wake(notify=True))


def _permit(run: Run, asked: Approval, actor: Actor) -> None:
    """Refuse those who may not decide this."""
    if RANK[actor.role] < RANK[asked.role]:
        raise Forbidden(f"This approval needs the role {asked.role}; yours is {actor.role}.", required_role=asked.role)
    if asked.four_eyes and run.created_by == actor.user_id:
        raise Forbidden("This approval needs a second person: you have started the run yourself.")


def _edited(run: Run, asked: Approval, verdict: Verdict) -> dict[str, Any]:
    """The arguments that are approved instead, fit for the tool."""
    if not verdict.approved:
        raise Invalid({"arguments": ["A rejection takes no arguments."]})
    if asked.kind == IN_DOUBT or not asked.tool_id or verdict.arguments is None:
        raise Invalid({"arguments": ["Only the arguments of a tool call can be edited."]})
    return check_arguments(run.tenant_id, asked.tool_id, verdict.arguments)


def _resume(run: Run) -> None:
    """Back to the queue; the time that a person took does not count towards the run's latency."""
    now = timezone.now()
    if run.deadline_at:
        run.deadline_at += now - run.updated_at if now > run.updated_at else timedelta(0)
    run.status, run.due_at, run.updated_at = Status.RUNNING, now, now
    run.save(update_fields=["status", "due_at", "updated_at", "deadline_at"])
