"""Tools that a tenant makes: the checked input is sent to a URL, what comes back is the output."""

from typing import Any

from yarl import URL

from agents.errors import ToolExecutionError, ToolUnavailable
from agents.excerpts import summary
from agents.handlers.handler_secrets import secrets_of
from agents.tools.registry import ToolCall
from config.outbound import client
from config.values.foreign_json import clean_text, read_json, write_json
from config.values.json_types import JsonObject

IN_THE_QUERY = frozenset({"GET", "HEAD", "DELETE"})
TIMEOUT_S = 30.0


async def call_url(call: ToolCall) -> Any:
    """The answer's JSON, or {text} when it is none; a status other than 2xx is an error."""
    config = call.tool.handler_config
    method, url = str(config.get("method", "POST")).upper(), str(config["url"])
    headers = secrets_of(call.tool).headers | run_headers(call)
    if method in IN_THE_QUERY:
        answer = await client.request(method, with_query(url, call.input), headers=headers, timeout_s=TIMEOUT_S)
    else:
        answer = await client.request(method, url, headers=headers, json=call.input, timeout_s=TIMEOUT_S)
    if answer.ok:
        return output(answer)
    reason = f"{URL(url).host} answered {answer.status}: {summary(answer.text)}"
    if answer.status == 429 or answer.status >= 500:
        raise ToolUnavailable(reason, answer.retry_after_s())
    raise ToolExecutionError(reason)


def run_headers(call: ToolCall) -> dict[str, str]:
    """Headers by which the receiver knows the run, and recognises a repeated call."""
    return {"X-Run-ID": str(call.run.id), "Idempotency-Key": call.key}


def with_query(url: str, input: JsonObject) -> str:
    """The URL with the input as query parameters; what is no text goes as JSON."""
    texts = {name: value if isinstance(value, str) else write_json(value).decode() for name, value in input.items()}
    return str(client.target(url).update_query(texts)) if texts else url


def output(answer: client.Answer) -> Any:
    """The body as an object or a list: its JSON, {value} around a bare one, {text} for anything else."""
    if not answer.body:
        return {}
    text = answer.text
    try:
        return as_output(text)
    except ValueError:
        return {"text": clean_text(text)}


def as_output(text: str) -> Any:
    """The JSON as an object or a list: {value} around a bare value; ValueError when it is no JSON."""
    value = read_json(text)
    return value if isinstance(value, dict | list) else {"value": value}
