"""Tools: what agents and workflows may call."""

from django.db import models

from accounts.tenancy.tenant_model import TenantModel
from agents.models.agent import MAX_KEY_LENGTH


class HandlerType(models.TextChoices):
    """Who does the work: code of ours (builtin, agents/tools/), or what a tenant has made (agents/handlers/)."""

    BUILTIN = "builtin"
    HTTP = "http"
    REMOTE = "remote"
    MCP = "mcp"
    CODE = "code"


class RiskLevel(models.TextChoices):
    """How much harm a wrong call can do."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Tool(TenantModel):
    """A tenant's tool: something that is called with the checked input. `key` is the id that clients know it by."""

    key = models.CharField(max_length=MAX_KEY_LENGTH)
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    input_schema = models.JSONField(default=dict)
    handler_type = models.CharField(max_length=16, choices=HandlerType, default=HandlerType.HTTP)
    handler_config = models.JSONField(default=dict, help_text="What the handler needs, without its secrets.")
    sealed = models.TextField(blank=True, editable=False, help_text="Headers and signing key, encrypted.")
    idempotent = models.BooleanField(default=True, help_text="A call whose answer was lost may be made again.")
    risk_level = models.CharField(max_length=8, choices=RiskLevel, default=RiskLevel.LOW)
    side_effects = models.JSONField(default=list, help_text="What it changes, such as external_write.")
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="tool_key")]

    def __str__(self) -> str:
        return self.key
