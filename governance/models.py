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
