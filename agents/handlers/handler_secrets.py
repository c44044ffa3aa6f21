"""The secret parts of a tool's configuration: headers and signing keys, encrypted in the row, opened for a call."""

from typing import Any

from agents.tools.registry import ToolSpec
from governance import vault


def secrets_of(tool: ToolSpec) -> dict[str, Any]:
    """{headers, secret} of the tool; empty when it has none."""
    secrets: dict[str, Any] = vault.opened(tool.sealed_secrets) or {}
    return secrets


def secret_headers(tool: ToolSpec) -> dict[str, str]:
    """The headers that the tool's calls carry."""
    return dict(secrets_of(tool).get("headers") or {})
