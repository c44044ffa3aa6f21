"""Teams of agents. An execution of one is a Run of the kind "team", never a table of its own."""

import uuid

from django.db import models
from uuid_utils.compat import uuid7

from accounts.tenancy.tenant_model import TenantModel
from orchestration.models import Run

KIND = "team"


class Team(TenantModel):
    """Agents, and the order in which they work on a prompt (seed 001)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    agent_ids = models.JSONField(default=list)
    workflow_definition = models.JSONField(help_text="{type, agents: [{agent_id, role, execution_order, input, …}]}")
    team_config = models.JSONField(default=dict, help_text="{provider?, model?, temperature?, max_tokens?}")
    sealed = models.TextField(blank=True, help_text="Its own provider keys, encrypted (governance/vault.py).")
    is_active = models.BooleanField(default=True)
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["tenant", "-created_at"], name="team_of_tenant")]

    def __str__(self) -> str:
        return self.name


class ExecutionKeys(TenantModel):
    """The provider keys of one execution: its team's, and over them those of its start; deleted after its end."""

    run_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    sealed = models.TextField(help_text="Encrypted (governance/vault.py).")

    class Meta:
        verbose_name = "keys of an execution"
        verbose_name_plural = "keys of executions"

    def __str__(self) -> str:
        return f"keys of {self.run_id}"


class TeamExecution(Run):
    """A run of the kind "team"."""

    class Meta:
        proxy = True
