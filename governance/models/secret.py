"""Secrets of users and tenants, encrypted."""

import uuid

from django.db import models

from accounts.tenancy.tenant_model import TenantModel


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
