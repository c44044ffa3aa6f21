"""Deleting a task with its workspace, and removing the workspaces of tasks that ended long ago."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from agents.code_tasks.program import KIND
from agents.workspaces.workspace import FOLDER, Workspace
from memory.files.file_store import delete_file
from memory.models import File
from orchestration.models import FINAL, Approval, Change, Run, RunEvent, Signal, Step

log = logging.getLogger(__name__)
RUN_RECORDS = (Step, RunEvent, Signal, Approval, Change)


def delete_task(run: Run) -> None:
    """Delete the finished task's run, files and workspace; entries of the audit log and policy decisions stay."""
    with transaction.atomic():
        for file in File.objects.for_tenant(run.tenant_id).filter(run_id=run.id):
            delete_file(file)
        for model in RUN_RECORDS:
            model.objects.for_tenant(run.tenant_id).filter(run_id=run.id).delete()
        Run.objects.for_tenant(run.tenant_id).filter(pk=run.pk, status__in=FINAL).delete()
        transaction.on_commit(Workspace(run.id).remove, robust=True)


def remove_old_workspaces() -> int:
    """The number of workspaces removed: of tasks that were deleted elsewhere, or ended TASK_KEEP_DAYS ago."""
    count = 0
    for run_id in _workspace_ids():
        limit = timezone.now() - timedelta(days=settings.TASK_KEEP_DAYS)
        current = Run.all_tenants.filter(pk=run_id, kind=KIND).exclude(status__in=FINAL, finished_at__lt=limit)
        if not current.exists():
            try:
                Workspace(run_id).remove()
                count += 1
            except OSError:  # one that cannot be removed keeps no other
                log.exception("the workspace %s could not be removed", run_id)
    return count


def _workspace_ids() -> Iterator[UUID]:
    folder: Path = settings.DATA_DIR / FOLDER
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            yield UUID(path.name)
        except ValueError:
            continue
