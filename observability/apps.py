"""The app that watches."""

from django.apps import AppConfig


class ObservabilityConfig(AppConfig):
    """Registers the program that sends notifications, what finds alerts for jobs, and metrics."""

    name = "observability"

    def ready(self) -> None:
        """Import what registers itself."""
        from observability import around, notifying, process_metrics  # noqa: F401
