"""The project itself: settings, entry points, and what every façade's views share. No business rules."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
