"""The app that watches."""

from importlib import import_module

from django.apps import AppConfig


class ObservabilityConfig(AppConfig):
    """Registers the program that sends notifications, what finds alerts for jobs, and metrics."""

    name = "observability"

    def ready(self) -> None:
        """Import what registers itself."""
        for module in (
            "observability.alerts.alert_context",
            "observability.alerts.notifications",
            "observability.metrics.process_metrics",
        ):
            import_module(module)
