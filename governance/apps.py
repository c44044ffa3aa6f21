"""The app of what is allowed."""

from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    """Policies, budgets, secrets, audit."""

    name = "governance"

    def ready(self) -> None:
        """Listen to the admin."""
        from governance import operators  # noqa: F401
