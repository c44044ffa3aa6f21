"""Django's LOGGING: everything goes to standard error, in the form that LOG_FORMAT names."""

import logging

from config.env import LOG_LEVELS, env_choice

if env_choice("LOG_FORMAT", "text", ("text", "json")) == "json":
    logging.captureWarnings(True)  # Python's own warnings are lines of the same form
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "config.log_lines.formatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env_choice("LOG_LEVEL", "INFO", LOG_LEVELS, upper=True)},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "multiprocessing": {"handlers": ["console"], "level": "WARNING"},  # Celery's pool; it passes nothing on
        # These log each call, which our own loggers do already.
        **{name: {"level": "WARNING"} for name in ("LiteLLM", "celery", "kombu", "httpx", "httpcore", "uvicorn")},
    },
}
