"""Limits on money and model calls, and what is spent and held of them."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.tenancy.tenant_model import TenantModel


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

    spent + held never passes a limit: governance/budgets/sql/reservations.sql has the one statement that grows them.
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
