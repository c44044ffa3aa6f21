"""Django's entry for this app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    """Tenants, users and their credentials."""

    name = "accounts"

    def ready(self) -> None:
        """Isolate tenants anew after each migration; register what /readyz asks of it."""
        from importlib import import_module

        from accounts.tenancy.isolation import isolate_tenants

        import_module("accounts.tenancy.health")
        post_migrate.connect(isolate_tenants, sender=self, dispatch_uid="isolation")
