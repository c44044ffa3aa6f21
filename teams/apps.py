"""The app of agents that work together."""

from django.apps import AppConfig


class TeamsConfig(AppConfig):
    """Registers the program of team executions."""

    name = "teams"

    def ready(self) -> None:
        """Import what registers itself."""
        from teams import execution, keys  # noqa: F401
