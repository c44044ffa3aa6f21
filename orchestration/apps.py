"""The app of the durable engine."""

from django.apps import AppConfig


class OrchestrationConfig(AppConfig):
    """Registers the workflow program and its node types."""

    name = "orchestration"

    def ready(self) -> None:
        """Import what registers programs, nodes and readiness checks."""
        from importlib import import_module

        for name in ("nodes", "workflow", "health", "metrics"):
            import_module(f"orchestration.{name}")
