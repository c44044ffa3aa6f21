"""The Celery application: `celery -A config worker` hosts the engine, `celery -A config beat` is the scheduler."""

import os
from logging.config import dictConfig
from typing import Any

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
app = Celery("regente")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def log_as_django_does(**_: Any) -> None:
    """Workers and scheduler log as LOGGING says; connected, this keeps Celery from its own settings."""
    from django.conf import settings

    dictConfig(settings.LOGGING)


@signals.beat_init.connect
def supervise_scheduler(sender: Any = None, **_: Any) -> None:
    """In the scheduler: report the process, and supervise its looks at the clock."""
    from config.processes.reports import start_reports
    from config.processes.task_supervisor import supervise_call

    start_reports("scheduler")
    sender.scheduler.tick = supervise_call("scheduler", sender.scheduler.tick)
