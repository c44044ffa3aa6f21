"""The scheduler's work for agents."""

from celery import shared_task

from agents.code_tasks.deletion import remove_old_workspaces


@shared_task(name="agents.tidy_workspaces", ignore_result=True)
def tidy_workspaces() -> None:
    """Remove the workspaces that nobody needs any more."""
    remove_old_workspaces()
