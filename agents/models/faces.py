"""Runs as operators look for them: agent jobs and code tasks by themselves."""

from orchestration.models import Run


class Job(Run):
    """A run of the kind "agent_job"."""

    class Meta:
        proxy = True
        verbose_name = "agent job"


class CodeTask(Run):
    """A run of the kind "task"."""

    class Meta:
        proxy = True
        verbose_name = "code task"
