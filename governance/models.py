"""What is allowed, and at what price."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models

from accounts.tenancy import TenantModel


class Budget(TenantModel):
    """A limit on money and model calls.

    spent + held never passes a limit: budgets.py has the one statement that grows them.
    """

    scope = models.CharField(max_length=16)  # whose limit it is: "run"
    scope_id = models.CharField(max_length=64)
    cost_limit_micro = models.BigIntegerField(null=True, help_text="Micro-USD; empty = no limit.")
    calls_limit = models.PositiveIntegerField(null=True, help_text="Model calls; empty = no limit.")
    spent_micro = models.BigIntegerField(default=0)
    spent_calls = models.PositiveIntegerField(default=0)
    held_micro = models.BigIntegerField(default=0)
    held_calls = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "scope_id"], name="budget_of")]

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
