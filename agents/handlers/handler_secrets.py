"""The secret parts of a tool's configuration: headers and signing keys, encrypted in the row, opened for a call."""

from typing import Any

from agents.tools.registry import ToolSpec
from governance import vault


def opened(tool: ToolSpec) -> dict[str, Any]:
    """{headers, secret} of the tool; empty when it has none."""
    found: dict[str, Any] = vault.decrypt(tool.sealed) or {}
    return found


def opened_headers(tool: ToolSpec) -> dict[str, str]:
    """The headers that the tool's calls carry."""
    return dict(opened(tool).get("headers") or {})
