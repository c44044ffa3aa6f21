"""The app of what thinks and acts."""

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    """Registers the agent and tool nodes, and how the engine asks its router and evaluator agents."""

    name = "agents"

    def ready(self) -> None:
        """Import what registers itself."""
        from agents import nodes, tools  # noqa: F401
