"""The scheduler's work for agents."""

from celery import shared_task

from agents.code_tasks.deletion import remove_old_workspaces


@shared_task(name="agents.tidy_workspaces", ignore_result=True)
def tidy_workspaces() -> None:
    """Remove the workspaces of tasks that were deleted, or ended long ago."""
    remove_old_workspaces()
