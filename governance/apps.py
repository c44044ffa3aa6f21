"""The app of what is allowed."""

from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    """Policies, budgets, secrets, audit."""

    name = "governance"

    def ready(self) -> None:
        """Keep what is done in the admin, whose pages are all known by now."""
        from governance.audit.admin_log import audit_all_pages

        audit_all_pages()
