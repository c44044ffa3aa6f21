"""What is allowed, and at what price."""

import uuid

from django.contrib.postgres.fields import ArrayField
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
    """What the policies said of one action, why, and on which values; what a backtest asks a candidate about."""

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


class AuditEntry(TenantModel):
    """Something that was done, and by whom. A trigger refuses to change or delete one."""

    append_only = True

    id = models.BigAutoField(primary_key=True)
    # Hot table: two rows per run. Null: a login to an account that is not there.
    tenant = models.ForeignKey(  # type: ignore[assignment]
        "accounts.Tenant", models.DO_NOTHING, null=True, related_name="+", db_constraint=False, db_index=False
    )
    user_id = models.UUIDField(null=True)
    on_behalf_of = models.CharField(max_length=128, blank=True, db_default="")
    agent_id = models.CharField(max_length=128, blank=True, db_default="")
    key_id = models.UUIDField(null=True, help_text="The API key that was used, if one was.")
    action = models.CharField(max_length=64)
    resource_type = models.CharField(max_length=64)
    resource_id = models.CharField(max_length=255, blank=True, db_default="")
    before = models.JSONField(null=True, help_text="The resource as it was; secrets masked.")
    after = models.JSONField(null=True, help_text="The resource as it is now; secrets masked.")
    ip_address = models.CharField(max_length=64, blank=True, db_default="")
    user_agent = models.CharField(max_length=300, blank=True, db_default="")
    trace_id = models.CharField(max_length=128, blank=True, db_default="")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["tenant", "-id"], name="audit_of_tenant"),
            models.Index(fields=["resource_id"], name="audit_of_resource"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.resource_type} {self.resource_id}"


class AuditSeal(TenantModel):
    """A link of a tenant's chain: the SHA-256 over the hash before and all of one entry."""

    append_only = True

    seq = models.BigIntegerField(help_text="1, 2, 3 … without a gap.")
    entry_id = models.BigIntegerField(unique=True)
    hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "seq"], name="audit_seal_seq")]

    def __str__(self) -> str:
        return f"{self.seq}: {self.hash[:12]}"


class BudgetScope(models.TextChoices):
    """Whose spending a limit is about; all but tenant name one by its id."""

    TENANT = "tenant"
    USER = "user"
    APP = "app"
    TEAM = "team"
    AGENT = "agent"


class Period(models.TextChoices):
    """What a standing limit is for; days and months are UTC's."""

    DAY = "day"
    MONTH = "month"


class BudgetLimit(TenantModel):
    """A limit that stands: so much a day or month. What is spent of it is counted in a Budget per period."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    scope = models.CharField(max_length=16, choices=BudgetScope)
    scope_id = models.CharField(max_length=128, blank=True, help_text="The id of the user, app, team or agent.")
    period = models.CharField(max_length=8, choices=Period)
    cost_limit_micro = models.BigIntegerField(null=True, help_text="Micro-USD; empty = no limit.")
    calls_limit = models.PositiveIntegerField(null=True, help_text="Model calls; empty = no limit.")
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "budget"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "scope", "scope_id", "period"], name="budget_limit_of")
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.scope_id} a {self.period}"


class Budget(TenantModel):
    """What is spent and held of a limit on money and model calls: a run's own, or a standing one's in one period.

    spent + held never passes a limit: budgets.py has the one statement that grows them.
    """

    limit_id = models.UUIDField(null=True, help_text="The standing limit; null = a run's own.")
    scope = models.CharField(max_length=16)  # whose limit it is: "run", or a BudgetScope
    scope_id = models.CharField(max_length=128)
    starts_on = models.DateField(null=True, help_text="The first day of the period.")
    cost_limit_micro = models.BigIntegerField(null=True, help_text="Micro-USD; empty = no limit.")
    calls_limit = models.PositiveIntegerField(null=True, help_text="Model calls; empty = no limit.")
    spent_micro = models.BigIntegerField(default=0, db_default=0)
    spent_calls = models.PositiveIntegerField(default=0, db_default=0)
    held_micro = models.BigIntegerField(default=0, db_default=0)
    held_calls = models.PositiveIntegerField(default=0, db_default=0)
    warned_at = models.DateTimeField(null=True, help_text="When four fifths of it were used or held.")

    class Meta:
        verbose_name = "budget in use"
        verbose_name_plural = "budgets in use"
        constraints = [
            models.UniqueConstraint(fields=["scope", "scope_id"], condition=Q(limit_id=None), name="budget_of"),
            models.UniqueConstraint(fields=["limit_id", "starts_on"], name="budget_of_period"),
        ]

    def __str__(self) -> str:
        return f"budget of {self.scope} {self.scope_id}"


class Hold(TenantModel):
    """A reservation for one call in flight; it goes when the call is settled, or when its dead worker's run is
    claimed.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    run_id = models.UUIDField(db_index=True)
    budget_ids = ArrayField(models.BigIntegerField())
    micro = models.BigIntegerField()
    calls = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"hold of run {self.run_id}"


class ProviderKey(TenantModel):
    """A user's key for a model provider (seed 001's vault): encrypted, never shown."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user_id = models.UUIDField()
    service_name = models.CharField(max_length=64, help_text="openai, anthropic, …")
    sealed = models.TextField(help_text="Encrypted (vault.py).")
    description = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "user_id", "service_name"], name="provider_key_once")]

    def __str__(self) -> str:
        return f"{self.service_name} key of {self.user_id}"


class TenantSecret(TenantModel):
    """A secret of the tenant's (seed 004's), by name and environment: encrypted, never shown."""

    key = models.CharField(max_length=128)
    environment = models.CharField(max_length=32, default="prod")
    sealed = models.TextField(help_text="Encrypted (vault.py).")
    description = models.CharField(max_length=500, blank=True)
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key", "environment"], name="tenant_secret_once")]

    def __str__(self) -> str:
        return f"{self.key} ({self.environment})"
