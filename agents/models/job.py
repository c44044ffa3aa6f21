"""Agent jobs: what a job has beside its run, the related object and the callback."""

from django.db import models

from accounts.tenancy.tenant_model import TenantModel


class AgentJob(TenantModel):
    """The related object and the callback of a job that has any. The job itself is a Run of the kind "agent_job"."""

    run_id = models.UUIDField(primary_key=True, editable=False)
    related_type = models.CharField(max_length=100, blank=True)
    related_id = models.UUIDField(null=True)
    callback_url = models.TextField(blank=True)
    callback_run_id = models.UUIDField(null=True, help_text="The run that delivers the callback.")
    sealed = models.TextField(blank=True, help_text="The callback's own signing secret, encrypted.")

    class Meta:
        indexes = [models.Index(fields=["tenant", "related_type", "related_id"], name="job_by_related")]

    def __str__(self) -> str:
        return f"{self.related_type}:{self.related_id}" if self.related_type else str(self.run_id)
