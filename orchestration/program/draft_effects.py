"""Effects of draft runs: staged while the run goes on, read back by it, applied or discarded afterwards."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from orchestration.models import FINAL, Change, ChangeStatus, Run
from orchestration.runs.commands import append, locked

OPEN = (ChangeStatus.STAGED, ChangeStatus.APPLYING)


@dataclass(frozen=True)
class Staged:
    """What a call would do. `answer` is what its preview tells beside that, `base` what it rests on."""

    kind: str
    target: str
    before: Any
    after: Any
    base: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)


def effect_id(run_id: UUID, step: str) -> UUID:
    """The id of what a step makes, the same however often it is asked for, staged and applied."""
    return uuid5(run_id, f"effect:{step}")


def stage(
    run: Any, step: str, tool_id: str, agent_id: str, arguments: dict[str, Any], staged: Staged, reason: str
) -> Change:
    """The change on record; the one that this step has staged before, if there is one."""
    rows = Change.objects.for_tenant(run.tenant_id).filter(run_id=run.id)
    with transaction.atomic():
        last = rows.aggregate(last=Max("position"))["last"] or 0
        made, _ = Change.all_tenants.get_or_create(
            id=effect_id(run.id, step),
            defaults={
                "tenant_id": run.tenant_id,
                "run_id": run.id,
                "position": last + 1,
                "step": step,
                "tool_id": tool_id,
                "agent_id": agent_id,
                "kind": staged.kind,
                "target": staged.target[:2000],
                "arguments": arguments,
                "before": staged.before,
                "after": staged.after,
                "base": staged.base,
                "reason": reason,
            },
        )
    return made


def staged_by(tenant_id: str, run_id: UUID, kind: str) -> list[Change]:
    """What the run has staged of a kind, in the order of its calls: its own reads see that."""
    rows = Change.objects.for_tenant(tenant_id).filter(run_id=run_id, kind=kind, status__in=OPEN)
    return list(rows.order_by("position"))


def reclaim(run: Run) -> None:
    """Changes whose apply has ended without settling them are staged again."""
    held = Change.objects.for_tenant(run.tenant_id).filter(run_id=run.id, status=ChangeStatus.APPLYING)
    over = Run.objects.for_tenant(run.tenant_id).filter(pk__in=held.values("apply_run_id"), status__in=FINAL)
    held.filter(apply_run_id__in=list(over.values_list("pk", flat=True))).update(status=ChangeStatus.STAGED)


@dataclass(frozen=True)
class Applied:
    """A change of this draft run that has landed, with these arguments: an approver may have edited them."""

    change_id: UUID
    tenant_id: str
    run_id: UUID
    arguments: dict[str, Any]
    outcome: Any
    actor: UUID | None


def settle_applied(applied: Applied) -> None:
    """Put on record that the change has landed, once, with its event in the draft run."""
    with transaction.atomic():
        run = locked(applied.run_id, applied.tenant_id)
        rows = Change.objects.for_tenant(applied.tenant_id).select_for_update().filter(pk=applied.change_id)
        change = rows.exclude(status=ChangeStatus.APPLIED).first()
        if change is None:
            return
        if change.arguments != applied.arguments:  # what was staged as it would be sent is shown as it was sent
            change.after = applied.arguments if change.after == change.arguments else applied.outcome
            change.arguments = applied.arguments
        change.status, change.error, change.outcome = ChangeStatus.APPLIED, "", applied.outcome
        change.settled_by, change.settled_at = applied.actor, timezone.now()
        change.save()
        append(run, [("effect_applied", {"change_id": str(change.pk), "tool_id": change.tool_id, "kind": change.kind,
                                         "target": change.target})])  # fmt: skip


def give_back(tenant_id: str, apply_run_id: UUID, error: str) -> None:
    """What an apply has not landed is staged again; the one that stopped it knows why."""
    held = Change.objects.for_tenant(tenant_id).filter(apply_run_id=apply_run_id, status=ChangeStatus.APPLYING)
    if (first := held.order_by("position").first()) is not None:
        Change.objects.for_tenant(tenant_id).filter(pk=first.pk).update(error=error)
    held.update(status=ChangeStatus.STAGED)
