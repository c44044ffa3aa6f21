"""Settling the changes of a draft run: they are applied by a run of their own, or discarded."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from agents.drafts.apply_program import KIND
from agents.drafts.change_selection import ChangeSelection, check_conflicts, find_denial, select_changes
from orchestration.models import Change, ChangeStatus, Mode, Run
from orchestration.runs.commands import start_refusal, start_run


def start_apply(selection: ChangeSelection) -> Run | None:
    """The run that applies the selected changes; None when none of them is staged.

    Raises Conflict when the run is not finished, a change is being applied, or no longer fits what it was staged for
    (nothing is applied then); Invalid for ids that are not the run's; PolicyDenied.
    """
    with transaction.atomic():
        run, changes = select_changes(selection)
        if not changes:
            return None
        check_conflicts(changes)
        denial = find_denial(run, changes, selection.actor)
        if denial is None:
            apply_run = _start(run, changes, selection)
            _rows(run, changes).update(status=ChangeStatus.APPLYING, apply_run_id=apply_run.pk, error="")
            return apply_run
    raise start_refusal(selection.tenant_id, denial)


def _start(run: Run, changes: list[Change], selection: ChangeSelection) -> Run:
    apply_run, _ = start_run(
        tenant_id=run.tenant_id,
        kind=KIND,
        subject_id=str(run.pk),
        input={"change_ids": [str(change.pk) for change in changes]},
        mode=Mode.AUTO,
        created_by=selection.actor.user_id,
        role=selection.actor.role,
        on_behalf_of=run.on_behalf_of,
        app_id=run.app_id,
        trace_id=selection.trace_id,
    )
    return apply_run


def discard_changes(selection: ChangeSelection) -> None:
    """Discard those of the selected changes that are staged, for good."""
    with transaction.atomic():
        run, changes = select_changes(selection)
        _rows(run, changes).update(
            status=ChangeStatus.DISCARDED, settled_by=selection.actor.user_id, settled_at=timezone.now()
        )


def _rows(run: Run, changes: list[Change]) -> QuerySet[Change]:
    return Change.objects.for_tenant(run.tenant_id).filter(pk__in=[change.pk for change in changes])
