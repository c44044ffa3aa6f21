"""Agents: instructions for a model, and the tools that it may call."""

from django.db import models

from accounts.tenancy.tenant_model import TenantModel

MAX_KEY_LENGTH = 64  # a run's subject_id has as many characters


class Agent(TenantModel):
    """A tenant's agent. `key` is the id that clients know it by."""

    key = models.CharField(max_length=MAX_KEY_LENGTH)
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    instructions = models.TextField(blank=True)
    model_profile = models.JSONField(
        default=dict, help_text="{provider, model, temperature?, max_tokens?, timeout_s?, fallbacks?}"
    )
    allowed_tools = models.JSONField(default=list, help_text="Ids of the tools that it may call.")
    output_schema = models.JSONField(null=True, help_text="A JSON Schema that every answer must fit.")
    max_turns = models.PositiveSmallIntegerField(default=10, help_text="Model calls that one answer may take.")
    memory = models.JSONField(default=dict, help_text="{recall, store}: whether it remembers by itself; both are on.")
    is_active = models.BooleanField(default=True)
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="agent_key")]

    def __str__(self) -> str:
        return self.key
