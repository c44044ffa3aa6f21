"""What each kind of handler needs of a tool's handler_config, and which parts of it are secret."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from rest_framework import serializers

from agents.handlers.code_function import MAX_CODE_LENGTH
from agents.models import HandlerType
from config.errors import DomainError
from config.masking import MASK
from config.outbound.client import METHODS, checked_headers, target
from orchestration.outgoing.webhooks import new_secret, secret_fault

Checked = tuple[dict[str, Any], dict[str, Any]]  # (what is shown, what is sealed)


def refuse(sentence: str) -> serializers.ValidationError:
    """What is wrong with the handler_config."""
    return serializers.ValidationError(sentence)


def origin(config: dict[str, Any]) -> tuple[str, str]:
    """(scheme, host and port) that the handler calls."""
    try:
        parts = urlsplit(str(config.get("url") or ""))
    except ValueError:
        return "", ""
    return parts.scheme.lower(), parts.netloc.lower()


def _url(config: dict[str, Any]) -> str:
    try:
        target(config.get("url") or "")
    except DomainError as refusal:
        raise refuse(f"url: {refusal.message}") from None
    return str(config["url"])


def _headers(config: dict[str, Any], stored: dict[str, Any]) -> dict[str, str]:
    """The headers; a mask, as GET shows it, stands for the stored value."""
    given = config.get("headers") or {}
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise refuse("headers: Must be an object of texts.")
    known = stored.get("headers") or {}
    masked = [name for name, value in given.items() if value == MASK and name not in known]
    if masked:
        raise refuse(f"headers: {masked[0]} is masked; send its real value, as nothing is kept of it for this server.")
    headers = {name: known[name] if value == MASK else value for name, value in given.items()}
    try:
        checked_headers(headers)
    except DomainError as refusal:
        raise refuse(refusal.message) from None
    return headers


def _http(config: dict[str, Any], stored: dict[str, Any]) -> Checked:
    method = config.get("method", "POST")
    if not isinstance(method, str) or method.upper() not in METHODS:
        raise refuse(f"method: Must be one of {', '.join(sorted(METHODS))}.")
    headers = _headers(config, stored)
    return {"url": _url(config), "method": method.upper()}, {"headers": headers}


def _remote(config: dict[str, Any], stored: dict[str, Any]) -> Checked:
    """The secret is the client's, in the form of Standard Webhooks, else one of ours, shown once."""
    secret = config.get("secret") or stored.get("secret") or new_secret()
    if secret == MASK:
        secret = stored.get("secret") or new_secret()
    if fault := secret_fault(secret):
        raise refuse(f"secret: {fault}")
    return {"url": _url(config)}, {"headers": _headers(config, stored), "secret": secret}


def _mcp(config: dict[str, Any], stored: dict[str, Any]) -> Checked:
    name = config.get("tool")
    if not isinstance(name, str) or not 0 < len(name) <= 200:
        raise refuse("tool: The name of a tool of the MCP server is required.")
    return {"url": _url(config), "tool": name}, {"headers": _headers(config, stored)}


def _code(config: dict[str, Any], stored: dict[str, Any]) -> Checked:
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


CHECKS: dict[str, Callable[[dict[str, Any], dict[str, Any]], Checked]] = {
    HandlerType.HTTP: _http,
    HandlerType.REMOTE: _remote,
    HandlerType.MCP: _mcp,
    HandlerType.CODE: _code,
}


def checked_config(kind: str, config: dict[str, Any], stored: dict[str, Any]) -> Checked:
    """(what is shown, what is sealed) of a handler's config; ValidationError naming what is wrong with it."""
    return CHECKS[kind](config, stored)
