"""The app of the durable engine."""

from importlib import import_module

from django.apps import AppConfig


class OrchestrationConfig(AppConfig):
    """Registers the workflow program and its node types."""

    name = "orchestration"

    def ready(self) -> None:
        """Import what registers programs, nodes and readiness checks."""
        for module in (
            "orchestration.workflows.builtin_nodes",
            "orchestration.workflows.walker",
            "orchestration.engine.health",
            "orchestration.engine.metrics",
        ):
            import_module(module)
