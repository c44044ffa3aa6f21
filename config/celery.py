"""The Celery application: `celery -A config worker` hosts the engine, `celery -A config beat` is the scheduler."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
app = Celery("regente")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
