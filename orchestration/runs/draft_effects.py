"""Effects of draft runs: staged while the run goes on, read back by it, applied or discarded afterwards."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from config.values.json_types import JsonObject
from orchestration.models import FINAL, Change, ChangeStatus, Run
from orchestration.runs.run_rows import append_events, lock_run

OPEN = (ChangeStatus.STAGED, ChangeStatus.APPLYING)


@dataclass(frozen=True)
class StagedEffect:
    """What a call would do. `answer` is what its preview says beside that, `base` what it rests on."""

    kind: str
    target: str
    before: Any
    after: Any
    base: JsonObject = field(default_factory=dict)
    answer: JsonObject = field(default_factory=dict)


def effect_id(run_id: UUID, step: str) -> UUID:
    """The id of what a step creates, the same when it is staged and when it is applied."""
    return uuid5(run_id, f"effect:{step}")


def stage_change(
    run: Any, step: str, tool_id: str, agent_id: str, arguments: JsonObject, effect: StagedEffect, reason: str
) -> Change:
    """The change on record; the one that this step has staged before, if there is one."""
    rows = Change.objects.for_tenant(run.tenant_id).filter(run_id=run.id)
    with transaction.atomic():
        last = rows.aggregate(last=Max("position"))["last"] or 0
        change, _ = Change.all_tenants.get_or_create(
            id=effect_id(run.id, step),
            defaults={
                "tenant_id": run.tenant_id,
                "run_id": run.id,
                "position": last + 1,
                "step": step,
                "tool_id": tool_id,
                "agent_id": agent_id,
                "kind": effect.kind,
                "target": effect.target[:2000],
                "arguments": arguments,
                "before": effect.before,
                "after": effect.after,
                "base": effect.base,
                "reason": reason,
            },
        )
    return change


def staged_changes(tenant_id: str, run_id: UUID, kind: str) -> list[Change]:
    """What the run has staged of a kind, in the order of its calls: its own reads see that."""
    rows = Change.objects.for_tenant(tenant_id).filter(run_id=run_id, kind=kind, status__in=OPEN)
    return list(rows.order_by("position"))


def restage_abandoned(run: Run) -> None:
    """Changes whose apply has ended without settling them are staged again."""
    changes = Change.objects.for_tenant(run.tenant_id).filter(run_id=run.id, status=ChangeStatus.APPLYING)
    over = Run.objects.for_tenant(run.tenant_id).filter(pk__in=changes.values("apply_run_id"), status__in=FINAL)
    changes.filter(apply_run_id__in=list(over.values_list("pk", flat=True))).update(status=ChangeStatus.STAGED)


@dataclass(frozen=True)
class AppliedChange:
    """A change of this draft run that has landed, with these arguments: an approver may have edited them."""

    change_id: UUID
    tenant_id: str
    run_id: UUID
    arguments: JsonObject
    outcome: Any
    actor: UUID | None


def record_applied(effect: AppliedChange) -> None:
    """Put on record that the change has landed, once, with its event in the draft run."""
    with transaction.atomic():
        run = lock_run(effect.run_id, effect.tenant_id)
        rows = Change.objects.for_tenant(effect.tenant_id).select_for_update().filter(pk=effect.change_id)
        change = rows.exclude(status=ChangeStatus.APPLIED).first()
        if change is None:
            return
        if change.arguments != effect.arguments:  # what was staged as it would be sent is shown as it was sent
            change.after = effect.arguments if change.after == change.arguments else effect.outcome
            change.arguments = effect.arguments
        change.status, change.error, change.outcome = ChangeStatus.APPLIED, "", effect.outcome
        change.settled_by, change.settled_at = effect.actor, timezone.now()
        change.save()
        payload = {"tool_id": change.tool_id, "kind": change.kind, "target": change.target}
        append_events(run, [("effect_applied", {"change_id": str(change.pk), **payload})])


def restage(tenant_id: str, apply_run_id: UUID, error: str) -> None:
    """What an apply has not landed is staged again; the one that stopped it knows why."""
    changes = Change.objects.for_tenant(tenant_id).filter(apply_run_id=apply_run_id, status=ChangeStatus.APPLYING)
    if (first := changes.order_by("position").first()) is not None:
        Change.objects.for_tenant(tenant_id).filter(pk=first.pk).update(error=error)
    changes.update(status=ChangeStatus.STAGED)
