"""Alert rules, and the alerts that they have fired (seed 000 §12)."""

from django.db import models
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from accounts.tenancy.tenant_model import TenantModel


class RuleType(models.TextChoices):
    """The measurement of a rule (observability/alerts/measurements.py)."""

    ERROR_RATE = "error_rate"
    BUDGET_EXCEEDED = "budget_exceeded"
    POLICY_DENIALS = "policy_denials"
    MEMORY_USAGE = "memory_usage"
    RATE_LIMIT = "rate_limit"


class AlertConfig(TenantModel):
    """A rule: when its measurement is beyond the threshold an alert fires, and is sent to its channels."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=255)
    rule_type = models.CharField(max_length=32, choices=RuleType)
    rule_config = models.JSONField(help_text="{threshold, window_minutes, operator}")
    sealed = models.TextField(help_text="The channels, [{type, config}], sealed: they hold tokens and keys.")
    enabled = models.BooleanField(default=True)
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "alert rule"
        indexes = [models.Index(fields=["tenant", "-created_at"], name="alert_rule_of_tenant")]

    def __str__(self) -> str:
        return self.name


class Alert(TenantModel):
    """A rule that fired: the rule as it was and its measurement, whatever becomes of the rule."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    number = models.PositiveIntegerField(help_text="Counts the tenant's alerts; what root_cause is asked about.")
    alert_config_id = models.UUIDField()
    name = models.CharField(max_length=255)
    rule_type = models.CharField(max_length=32, choices=RuleType)
    value = models.JSONField(help_text="{value, threshold, operator, window_minutes, …}")
    message = models.TextField()
    sealed = models.TextField(help_text="The channels as they were when it fired.")
    triggered_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.UUIDField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "number"], name="alert_number")]
        indexes = [models.Index(fields=["tenant", "alert_config_id", "-triggered_at"], name="alert_of_rule")]

    def __str__(self) -> str:
        return f"#{self.number} {self.name}"


class Rollup(TenantModel):
    """How often a metric (`measure`) happened in an hour of UTC, in a day once that is long ago, and its total.

    Rollups outlive what they were counted from (observability/metrics/rollups.py).
    """

    pk = models.CompositePrimaryKey("tenant_id", "measure", "label", "hour")
    tenant = models.ForeignKey(  # type: ignore[assignment]
        "accounts.Tenant", models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    measure = models.CharField(max_length=32)
    label = models.CharField(max_length=128, blank=True)
    hour = models.DateTimeField()
    n = models.BigIntegerField()
    total = models.FloatField(help_text="Milliseconds, micro-USD or tokens, as the measure has it.")

    def __str__(self) -> str:
        return f"{self.measure} {self.label}: {self.n}"


class RollupOutbox(TenantModel):
    """An event or a decision that no rollup has counted yet, put here by a trigger of the statement that wrote it.

    It goes in the transaction that counts it, so that everything is counted once.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(  # type: ignore[assignment]
        "accounts.Tenant", models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    run_id = models.UUIDField(null=True)
    seq = models.PositiveIntegerField(null=True)
    ends = models.BooleanField(default=False, help_text="It is the end of its run.")
    decision_id = models.BigIntegerField(null=True)

    class Meta:
        db_table = "observability_uncounted"
        verbose_name_plural = "uncounted"
        indexes = [models.Index(fields=["tenant"], name="uncounted_end", condition=models.Q(ends=True))]

    def __str__(self) -> str:
        return f"event {self.run_id}#{self.seq}" if self.run_id else f"decision {self.decision_id}"
