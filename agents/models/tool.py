"""Tools: what agents and workflows may call."""

from django.db import models

from accounts.tenancy import TenantModel
from agents.models.agent import KEY_MOST


class HandlerType(models.TextChoices):
    """Who does the work; tenants make http tools, the built-in ones are code (agents/tools/)."""

    BUILTIN = "builtin"
    HTTP = "http"


class RiskLevel(models.TextChoices):
    """How much harm a wrong call can do."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Tool(TenantModel):
    """A tenant's tool: a URL that is called with the checked input. `key` is the id that clients know it by."""

    key = models.CharField(max_length=KEY_MOST)
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    input_schema = models.JSONField(default=dict)
    handler_type = models.CharField(max_length=16, choices=HandlerType, default=HandlerType.HTTP)
    handler_config = models.JSONField(default=dict, help_text="{url, method, headers?}")
    risk_level = models.CharField(max_length=8, choices=RiskLevel, default=RiskLevel.LOW)
    side_effects = models.JSONField(default=list, help_text="What it changes, such as external_write.")
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="tool_key")]

    def __str__(self) -> str:
        return self.key
