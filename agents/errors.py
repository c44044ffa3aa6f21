"""What goes wrong with agents and tools."""

from config.errors import DomainError
from config.values.json_types import JsonObject
from orchestration.program.retry import Transient


class AgentExecutionError(DomainError):
    """The agent could not do its work."""

    status, code = 424, "AGENT_EXECUTION_ERROR"


class AgentInactive(DomainError):
    """The agent is not active, so that nothing can be asked of it; set its is_active to true."""

    code = "AGENT_INACTIVE"


class ToolExecutionError(DomainError):
    """The tool could not do its work."""

    status, code = 424, "TOOL_EXECUTION_ERROR"


class WorkspaceError(DomainError):
    """That cannot be done in the task's workspace."""

    status, code = 424, "WORKSPACE_ERROR"


class BuiltInReadOnly(DomainError):
    """Built-in agents and tools are shared by all and cannot be changed; choose another id."""

    status, code = 403, "FORBIDDEN"


class ModelUnavailable(Transient):
    """The model did not answer, but another try may succeed."""


class ReserveUsedUp(Exception):
    """The model's answer grows longer than what was reserved for it; whoever is called with its text says so."""


class ToolUnavailable(Transient):
    """The tool did not answer, but another try may succeed. `context` is that of a ToolExecutionError."""

    def __init__(self, message: str, retry_after_s: float | None = None, context: JsonObject | None = None) -> None:
        super().__init__(message, retry_after_s)
        self.context = context or {}
