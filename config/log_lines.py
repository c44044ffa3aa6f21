"""Log lines: text for people, or with LOG_FORMAT=json an object a line for machines; secrets are masked in both."""

import logging
from datetime import UTC, datetime

import orjson

from config.env import env_choice
from config.http import origin
from config.masking import mask_text
from config.values.json_types import JsonObject

TEXT, JSON = "text", "json"
CONTEXT = ("run", "tenant", "trace")  # null where a line is not about one
DETAILS = ("kind", "reason", "error_type")  # there where a line has them


class TextFormatter(logging.Formatter):
    """Time, level, logger and message; a traceback follows in lines of its own."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The line without the secrets that are recognised by their form."""
        return mask_text(super().format(record))


class JsonFormatter(logging.Formatter):
    """{time, level, logger, message, run, tenant, trace}, with details and the exception's text where there are."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        values: JsonObject = {
            "time": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        values |= {name: getattr(record, name, None) for name in CONTEXT}
        values["trace"] = values["trace"] or origin.current().trace_id or None
        values |= {name: getattr(record, name) for name in DETAILS if hasattr(record, name)}
        if record.exc_info and record.exc_info[0] is not None:
            values["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            values["stack"] = record.stack_info
        texts = {name: None if value is None else mask_text(whole(str(value))) for name, value in values.items()}
        return orjson.dumps(texts).decode()


def whole(text: str) -> str:
    """The text with U+FFFD for what is no whole character."""
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text


def formatter() -> logging.Formatter:
    """The formatter that LOG_FORMAT names."""
    return JsonFormatter() if env_choice("LOG_FORMAT", TEXT, (TEXT, JSON)) == JSON else TextFormatter()
