"""Effects that a draft has staged."""

from django.db import models
from django.db.models.functions import Now

from accounts.tenancy.tenant_model import TenantModel
from config.database.ordered_json import OrderedJSONField
from orchestration.models.run import Run


class ChangeStatus(models.TextChoices):
    """applying: an apply is at it; outside that is still staged."""

    STAGED = "staged"
    APPLYING = "applying"
    APPLIED = "applied"
    DISCARDED = "discarded"


class Change(TenantModel):
    """An effect that a draft run has staged: the checked call, what it would change, and what it rests on."""

    id = models.UUIDField(primary_key=True, editable=False)  # made of the run and the step: a replay stages it once
    run = models.ForeignKey(Run, models.CASCADE, related_name="changes", db_constraint=False)
    position = models.PositiveIntegerField(help_text="Order of the calls.")
    step = models.CharField(max_length=255)
    tool_id = models.CharField(max_length=128)
    agent_id = models.CharField(max_length=128, blank=True)
    kind = models.CharField(max_length=16, help_text="file, memory, database, or how the tool works: http, remote, …")
    target = models.CharField(max_length=2000)
    arguments = models.JSONField(help_text="The call's checked input.")
    before = OrderedJSONField(null=True)
    after = OrderedJSONField(null=True)
    base = models.JSONField(default=dict, help_text="What must not have moved when it is applied.")
    reason = models.TextField(blank=True)
    status = models.CharField(max_length=16, choices=ChangeStatus, default=ChangeStatus.STAGED)
    error = models.TextField(blank=True, help_text="Why the last try to apply it failed.")
    outcome = OrderedJSONField(null=True, help_text="What the tool answered when it was applied.")
    apply_run_id = models.UUIDField(null=True)
    settled_by = models.UUIDField(null=True)
    settled_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "step"], name="change_once")]
        indexes = [models.Index(fields=["tenant", "run", "position"], name="change_of_run")]

    def __str__(self) -> str:
        return f"{self.kind} {self.target} ({self.status})"
