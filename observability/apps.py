"""The app that watches."""

from django.apps import AppConfig


class ObservabilityConfig(AppConfig):
    """Registers the program that sends notifications."""

    name = "observability"

    def ready(self) -> None:
        """Import what registers itself."""
        from observability import notifying  # noqa: F401
