"""Questions that runs ask people."""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.tenancy.tenant_model import TenantModel
from orchestration.models.run import Run


class Approval(TenantModel):
    """A question to a person that a run waits for; decided once. One about a call is bound to it by `digest`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(Run, models.CASCADE, related_name="approvals", db_constraint=False)
    step = models.CharField(max_length=255)
    node_id = models.CharField(max_length=255)
    message = models.TextField(blank=True)
    role = models.CharField(max_length=16, default="developer", help_text="The least role that may decide.")
    four_eyes = models.BooleanField(default=False, db_default=False, help_text="Not whoever started the run.")
    expires_at = models.DateTimeField(null=True)
    kind = models.CharField(max_length=16, default="gate", db_default="gate")
    tool_id = models.CharField(max_length=128, blank=True, default="", db_default="")
    arguments = models.JSONField(null=True, help_text="Those of the call that is asked about.")
    digest = models.CharField(max_length=64, blank=True, default="", db_default="")
    policy_id = models.UUIDField(null=True, help_text="The policy that asks.")
    approved = models.BooleanField(null=True)
    comment = models.TextField(blank=True)
    edited = models.JSONField(null=True, help_text="The arguments that were approved instead.")
    decided_by = models.UUIDField(null=True)
    decided_at = models.DateTimeField(null=True)
    is_recorded = models.BooleanField(default=False, db_default=False, help_text="The decision is in the run's events.")
    executed_at = models.DateTimeField(null=True, help_text="When the approved call had been made.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "step"], name="approval_once")]
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="approval_of_tenant"),
            models.Index(
                fields=["tenant", "created_at"], condition=Q(approved__isnull=True), name="approval_open_of_tenant"
            ),
        ]

    def __str__(self) -> str:
        return f"approval of {self.run_id}:{self.step}"
