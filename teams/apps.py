"""The app of agents that work together."""

from importlib import import_module

from django.apps import AppConfig


class TeamsConfig(AppConfig):
    """Registers the program of team executions."""

    name = "teams"

    def ready(self) -> None:
        """Import the modules that register something."""
        for module in (
            "teams.execution.program",
            "teams.execution.keys",
        ):
            import_module(module)
