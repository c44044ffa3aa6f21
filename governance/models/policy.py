"""Policies and what they decided."""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.tenancy.tenant_model import TenantModel


class Scope(models.TextChoices):
    """What a policy is about; all but global and tenant name one thing by its id."""

    GLOBAL = "global"
    TENANT = "tenant"
    APP = "app"
    TOOL = "tool"
    WORKFLOW = "workflow"
    AGENT = "agent"


class Policy(TenantModel):
    """A rule as data: when `rule_expr` applies to an action in its scope, its effect holds. No tenant: a global one."""

    shared_rows = "tenant_id IS NULL"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey("accounts.Tenant", models.PROTECT, null=True, blank=True, related_name="+")  # type: ignore[assignment]
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    scope = models.CharField(max_length=16, choices=Scope)
    scope_id = models.CharField(max_length=128, blank=True, help_text="The id of the app, tool, workflow or agent.")
    rule_expr = models.JSONField(help_text="{condition, effect, modify?, approval?} (governance/policies/rules.py).")
    priority = models.IntegerField(default=100, help_text="The lowest number decides.")
    enabled = models.BooleanField(default=True)
    shadow = models.BooleanField(default=False, help_text="Only records what it would have done.")
    version = models.PositiveIntegerField(default=1, help_text="Grows with each change.")
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "policies"
        indexes = [models.Index(fields=["tenant", "scope", "scope_id"], name="policy_of_scope")]

    def __str__(self) -> str:
        return self.name


class PolicyDecision(TenantModel):
    """The decision of the policies on one action, the reason and the values; backtests replay these rows."""

    id = models.BigAutoField(primary_key=True)
    # Hot table: a row per start and per call; the index below begins with the tenant.
    tenant = models.ForeignKey(
        "accounts.Tenant", models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    action = models.CharField(max_length=16, help_text="run_start, agent_call, tool_call or apply.")
    run_id = models.UUIDField(null=True, db_index=True)
    step = models.CharField(max_length=255, blank=True, default="", db_default="")
    result = models.CharField(max_length=20, help_text="allowed, denied or requires_approval.")
    policy_id = models.UUIDField(null=True, help_text="The one that decided; null = none, which allows.")
    explanation = models.TextField()
    matched = models.JSONField(default=list, help_text="[{policy_id, name, version, effect, because}]")
    shadowed = models.JSONField(default=list, help_text="The same for shadow policies.")
    modified = models.JSONField(default=dict, help_text="What modify policies changed.")
    context = models.JSONField(help_text="What the conditions saw; long inputs are left out (truncated: true).")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "-id"], name="decision_of_tenant"),
            models.Index(fields=["tenant", "created_at"], name="decision_denied", condition=Q(result="denied")),
        ]

    def __str__(self) -> str:
        return f"{self.action}: {self.result}"
