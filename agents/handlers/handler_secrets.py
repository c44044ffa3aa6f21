"""The secret parts of a tool's configuration: headers and signing keys, encrypted in the row, opened for a call."""

from dataclasses import dataclass

from agents.tools.registry import ToolSpec
from governance import vault


@dataclass(frozen=True)
class HandlerSecrets:
    """The headers that a tool's calls carry, and the key that signs those of a remote tool."""

    headers: dict[str, str]
    secret: str


def secrets_of(tool: ToolSpec) -> HandlerSecrets:
    """The tool's secrets; empty where it has none."""
    secrets = vault.decrypt(tool.sealed_secrets) or {}
    return HandlerSecrets(secrets.get("headers") or {}, secrets.get("secret") or "")
