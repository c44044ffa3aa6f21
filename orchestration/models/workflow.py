"""Workflows with their versions, and the apps that offer them."""

from django.db import models
from uuid_utils.compat import uuid7

from accounts.tenancy.tenant_model import TenantModel


class Visibility(models.TextChoices):
    """Who an app is offered to; it never leaves its tenant, for its workflows are the tenant's."""

    PRIVATE = "private"
    ORG = "org"
    PUBLIC = "public"


class App(TenantModel):
    """An imported manifest: what it may touch (scopes), the workflows it names, and the actions that start them.

    `key` is the id that clients know it by. An import replaces the whole row, and so all its parts at once.
    """

    key = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    visibility = models.CharField(max_length=8, choices=Visibility, default=Visibility.PRIVATE)
    icon = models.CharField(max_length=1000, blank=True)
    owner = models.CharField(max_length=255, blank=True)
    scopes = models.JSONField(default=list, help_text="[{type: tool|memory|external, value}]")
    workflows = models.JSONField(default=list, help_text="[{alias, label, workflow_id, default_mode}]")
    actions = models.JSONField(default=list, help_text="[{id, label, workflow_alias, input_mapping}]")
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="app_key")]

    def __str__(self) -> str:
        return self.key


class WorkflowType(models.TextChoices):
    """The contract's word for a workflow's form; all of them run as a graph."""

    LINEAR = "linear"
    GRAPH = "graph"
    SUBGRAPH = "subgraph"


class Workflow(TenantModel):
    """A definition of nodes and edges; each save makes a WorkflowVersion, and a run pins the one it started with."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=255)
    version = models.CharField(max_length=64, default="1.0.0", help_text="The client's own label.")
    type = models.CharField(max_length=16, choices=WorkflowType, default=WorkflowType.LINEAR)
    description = models.TextField(blank=True)
    definition = models.JSONField()
    input_schema = models.JSONField(null=True, editable=False, help_text="The definition's, as a start reads it.")
    revision = models.PositiveIntegerField(default=1, help_text="Number of the latest WorkflowVersion.")
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["tenant", "-created_at"], name="workflow_of_tenant")]

    def __str__(self) -> str:
        return self.name


class WorkflowVersion(TenantModel):
    """What a workflow said at one save; never changed, and kept after the workflow is deleted."""

    workflow_id = models.UUIDField()
    revision = models.PositiveIntegerField()
    definition = models.JSONField()
    type = models.CharField(max_length=16)
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workflow_id", "revision"], name="workflow_revision")]

    def __str__(self) -> str:
        return f"{self.workflow_id} r{self.revision}"
