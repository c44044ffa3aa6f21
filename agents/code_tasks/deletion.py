"""Deleting a task, and what is left of tasks that are gone."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from agents.code_tasks.program import KIND
from agents.code_tasks.workspace import Workspace
from memory.files.file_store import delete_file
from memory.models import File
from orchestration.models import FINAL, Approval, Change, Run, RunEvent, Signal, Step

log = logging.getLogger(__name__)
PARTS = (Step, RunEvent, Signal, Approval, Change)


def delete_task(run: Run) -> None:
    """The finished task's record, files and workspace are gone; what audit and policies have noted of it stays."""
    with transaction.atomic():
        for file in File.objects.for_tenant(run.tenant_id).filter(run_id=run.id):
            delete_file(file)
        for model in PARTS:
            model.objects.for_tenant(run.tenant_id).filter(run_id=run.id).delete()
        Run.objects.for_tenant(run.tenant_id).filter(pk=run.pk, status__in=FINAL).delete()
        transaction.on_commit(Workspace(run.id).remove, robust=True)


def tidy() -> int:
    """The number of workspaces removed: of tasks that were deleted elsewhere, or ended long ago."""
    removed = 0
    for space, id in _workspaces():
        over = timezone.now() - timedelta(days=settings.TASK_KEEP_DAYS)
        kept = Run.all_tenants.filter(pk=id, kind=KIND).exclude(status__in=FINAL, finished_at__lt=over)
        if not kept.exists():
            try:
                space.remove()
                removed += 1
            except OSError:  # one that cannot be removed keeps no other
                log.exception("the workspace %s could not be removed", id)
    return removed


def _workspaces() -> Iterator[tuple[Workspace, UUID]]:
    folder: Path = settings.DATA_DIR / "workspaces"
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            id = UUID(path.name)
        except ValueError:
            continue
        yield Workspace(id), id
