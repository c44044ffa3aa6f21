"""What a log line looks like: text, or with LOG_FORMAT=json an object a line; without secrets either way."""

import json
import logging
import sys
from typing import Any

import pytest

from config.env import BadSetting
from config.http import origin
from config.log_lines import JsonFormatter, TextFormatter, formatter

KEY = "llm_" + "a" * 43
SECRETS = [
    KEY,
    "sk-1234567890abcdef",
    "whsec_c2VjcmV0LXNlY3JldA==",
    "eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl",
    "Bearer abcdef-12345",
    "postgresql://app:pa55word@db.example/regente",
]


def record(message: str, *args: Any, **fields: Any) -> logging.LogRecord:
    """A log record with these fields."""
    made = logging.getLogger("test").makeRecord("test", logging.WARNING, "f", 1, message, args, None)
    vars(made).update(fields)
    return made


def parsed(line: logging.LogRecord) -> dict[str, Any]:
    """The object of its one line."""
    text = JsonFormatter().format(line)
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_line_is_one_object_with_what_it_is_about() -> None:
    body = parsed(record("run %s\nfailed", 7, run="r-1", tenant="acme", trace="t-1", kind="workflow", reason="error"))
    assert body.pop("time").endswith("Z")
    assert body == {
        "level": "WARNING", "logger": "test", "message": "run 7\nfailed", "run": "r-1", "tenant": "acme",
        "trace": "t-1", "kind": "workflow", "reason": "error",
    }  # fmt: skip


def test_what_a_line_is_not_about_is_null() -> None:
    body = parsed(record("hello"))
    assert (body["run"], body["tenant"], body["trace"]) == (None, None, None)


def test_a_line_of_a_request_has_its_trace() -> None:
    origin.enter(origin.Origin(trace_id="trace-9"))
    try:
        assert parsed(record("hello"))["trace"] == "trace-9"
    finally:
        origin.enter(None)


def test_an_exception_is_a_text_of_the_same_line() -> None:
    line = record("it failed")
    try:
        raise ValueError(f"the key {KEY} is wrong")
    except ValueError:
        line.exc_info = sys.exc_info()
    body = parsed(line)
    assert "Traceback" in body["exception"] and "ValueError" in body["exception"] and KEY not in body["exception"]


@pytest.mark.parametrize("text", ["half \ud83d", "nul \x00", "é 你好", "“quoted” \\ \t", "\x1b[31m"])
def test_any_text_makes_a_line(text: str) -> None:
    assert parsed(record("%s", text))["message"] == text.replace("\ud83d", "?")


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("form", [JsonFormatter, TextFormatter])
def test_no_secret_is_in_a_line(secret: str, form: type[logging.Formatter]) -> None:
    bare = secret.removeprefix("Bearer ").partition("app:")[2] or secret.removeprefix("Bearer ")
    for line in (record(f"sent {secret} there"), record("sent %s", secret), record("sent %s", {"header": secret})):
        assert bare.partition("@")[0] not in form().format(line)


def test_the_environment_names_the_form(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(formatter(), TextFormatter)
    monkeypatch.setenv("LOG_FORMAT", "JSON")
    assert isinstance(formatter(), JsonFormatter)
    monkeypatch.setenv("LOG_FORMAT", "xml")
    with pytest.raises(BadSetting, match=r"LOG_FORMAT.*text, json"):
        formatter()
