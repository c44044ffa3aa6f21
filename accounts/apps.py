"""Django's entry for this app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    """Who is asking."""

    name = "accounts"

    def ready(self) -> None:
        """Isolate tenants anew after each migration."""
        from accounts.isolation import secure

        post_migrate.connect(secure, sender=self, dispatch_uid="isolation")
