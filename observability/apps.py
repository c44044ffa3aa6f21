"""The app that watches."""

from django.apps import AppConfig


class ObservabilityConfig(AppConfig):
    """Registers the program that sends notifications, and what finds alerts for jobs."""

    name = "observability"

    def ready(self) -> None:
        """Import what registers itself."""
        from observability import around, notifying  # noqa: F401
