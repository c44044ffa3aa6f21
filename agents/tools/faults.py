"""What a tool's fault says: the contract's sentence, and the context that errors carry."""

from collections.abc import Awaitable
from typing import Any

from agents.errors import ToolExecutionError, ToolUnavailable
from agents.excerpts import summary
from agents.tools.registry import ToolCall
from config.outbound.client import OutboundRefused, Unreachable


async def with_tool_errors(call: ToolCall, work: Awaitable[Any]) -> Any:
    """The work's output; its faults as the contract's sentence about the tool (seed 000 §14)."""
    try:
        return await work
    except Unreachable as fault:
        raise ToolUnavailable(_sentence(call, str(fault)), context=_context(call, fault)) from None
    except OutboundRefused as fault:
        raise ToolExecutionError(_sentence(call, fault.message), **_context(call, fault)) from None
    except ToolUnavailable as fault:
        raise ToolUnavailable(_sentence(call, str(fault)), fault.retry_after_s, _context(call, fault)) from None
    except ToolExecutionError as fault:
        raise ToolExecutionError(_sentence(call, fault.message), **_context(call, fault)) from None


def _sentence(call: ToolCall, reason: str) -> str:
    where = [("Run", str(call.run.id)), ("Step", call.step)] if call.run else []
    place = ", ".join(f"{name}: {value}" for name, value in [*where, ("Tenant", call.tenant_id)])
    return f"Tool execution failed for '{call.tool.id}': {reason} [{place}]"


def _context(call: ToolCall, fault: Exception) -> dict[str, Any]:
    run = call.run
    return {
        "tool_id": call.tool.id,
        "tool_name": call.tool.name,
        "execution_context": {
            "run_id": str(run.id) if run else None,
            "step_id": call.step or None,
            "workflow_id": run.subject_id if run and run.kind == "workflow" else None,
            "app_id": (run.app_id or None) if run else None,
            "tenant_id": call.tenant_id,
            "user_id": str(run.created_by) if run and run.created_by else None,
        },
        "input_summary": summary(call.input),
        "error_details": {"name": type(fault).__name__, "message": str(fault)[:500]},
    }
