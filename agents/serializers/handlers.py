"""What each kind of handler needs of a tool's handler_config, and which parts of it are secret."""

from collections.abc import Callable
from urllib.parse import urlsplit

from rest_framework import serializers

from agents.handlers.code_function import MAX_CODE_LENGTH
from agents.models import HandlerType
from config.errors import DomainError
from config.masking import MASK
from config.outbound.client import METHODS, checked_headers, target
from config.values.json_types import JsonObject
from orchestration.outgoing.webhooks import new_secret, secret_fault

PublicAndSecret = tuple[JsonObject, JsonObject]  # (the config that anybody may read, its secrets)


def refuse(sentence: str) -> serializers.ValidationError:
    """The error of a handler_config."""
    return serializers.ValidationError(sentence)


def origin(config: JsonObject) -> tuple[str, str]:
    """(scheme, host and port) that the handler calls."""
    try:
        parts = urlsplit(str(config.get("url") or ""))
    except ValueError:
        return "", ""
    return parts.scheme.lower(), parts.netloc.lower()


def _url(config: JsonObject) -> str:
    try:
        target(config.get("url") or "")
    except DomainError as refusal:
        raise refuse(f"url: {refusal.message}") from None
    return str(config["url"])


def _headers(config: JsonObject, previous: JsonObject) -> dict[str, str]:
    """The headers; a mask, as GET shows it, stands for the previous value."""
    headers = config.get("headers") or {}
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise refuse("headers: Must be an object of texts.")
    previous_headers = previous.get("headers") or {}
    unknown = [name for name, value in headers.items() if value == MASK and name not in previous_headers]
    if unknown:
        raise refuse(f"headers: {unknown[0]} is masked; send its real value, as nothing is kept of it for this server.")
    headers = {name: previous_headers[name] if value == MASK else value for name, value in headers.items()}
    try:
        checked_headers(headers)
    except DomainError as refusal:
        raise refuse(refusal.message) from None
    return headers


def _http(config: JsonObject, previous: JsonObject) -> PublicAndSecret:
    method = config.get("method", "POST")
    if not isinstance(method, str) or method.upper() not in METHODS:
        raise refuse(f"method: Must be one of {', '.join(sorted(METHODS))}.")
    headers = _headers(config, previous)
    return {"url": _url(config), "method": method.upper()}, {"headers": headers}


def _remote(config: JsonObject, previous: JsonObject) -> PublicAndSecret:
    """The secret is the client's, in the form of Standard Webhooks, else a new one, which only this response has."""
    secret = config.get("secret") or previous.get("secret") or new_secret()
    if secret == MASK:
        secret = previous.get("secret") or new_secret()
    if fault := secret_fault(secret):
        raise refuse(f"secret: {fault}")
    return {"url": _url(config)}, {"headers": _headers(config, previous), "secret": secret}


def _mcp(config: JsonObject, previous: JsonObject) -> PublicAndSecret:
    name = config.get("tool")
    if not isinstance(name, str) or not 0 < len(name) <= 200:
        raise refuse("tool: The name of a tool of the MCP server is required.")
    return {"url": _url(config), "tool": name}, {"headers": _headers(config, previous)}


def _code(config: JsonObject, previous: JsonObject) -> PublicAndSecret:
    language, code = config.get("language", "python"), config.get("code")
    if language != "python":
        raise refuse("language: Must be python.")
    if not isinstance(code, str) or not 0 < len(code) <= MAX_CODE_LENGTH:
        raise refuse(f"code: Python of at most {MAX_CODE_LENGTH} characters is required, with a function run(input).")
    try:
        names = compile(code, "tool.py", "exec").co_names
    except (SyntaxError, ValueError, RecursionError, MemoryError) as fault:
        raise refuse(f"code: {fault}") from None
    if "run" not in names:
        raise refuse("code: A function run(input) is required.")
    return {"language": "python", "code": code}, {}


CHECKS: dict[str, Callable[[JsonObject, JsonObject], PublicAndSecret]] = {
    HandlerType.HTTP: _http,
    HandlerType.REMOTE: _remote,
    HandlerType.MCP: _mcp,
    HandlerType.CODE: _code,
}


def checked_config(kind: str, config: JsonObject, previous: JsonObject) -> PublicAndSecret:
    """(the public part, the secret part) of a handler's config; ValidationError naming what is wrong with it."""
    return CHECKS[kind](config, previous)
