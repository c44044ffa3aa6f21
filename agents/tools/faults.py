"""The errors of tools as the contract has them: the sentence, and the context."""

from collections.abc import Iterator
from contextlib import contextmanager

from agents.errors import ToolExecutionError, ToolUnavailable
from agents.excerpts import summary
from agents.tools.registry import ToolCall
from config.outbound.client import OutboundRefused, Unreachable
from config.values.json_types import JsonObject


@contextmanager
def tool_errors(call: ToolCall) -> Iterator[None]:
    """The faults of the block as the contract has them (seed 000 §14); one that has its form already passes."""
    try:
        yield
    except Unreachable as fault:
        raise ToolUnavailable(_sentence(call, str(fault)), context=_context(call, fault)) from None
    except OutboundRefused as fault:
        raise ToolExecutionError(_sentence(call, fault.message), **_context(call, fault)) from None
    except (ToolUnavailable, ToolExecutionError) as fault:
        if "tool_id" in fault.context:
            raise
        if isinstance(fault, ToolUnavailable):
            raise ToolUnavailable(_sentence(call, str(fault)), fault.retry_after_s, _context(call, fault)) from None
        raise ToolExecutionError(_sentence(call, fault.message), **_context(call, fault)) from None


def _sentence(call: ToolCall, reason: str) -> str:
    place = f"Run: {call.run.id}, Step: {call.step}, Tenant: {call.tenant_id}"
    return f"Tool execution failed for '{call.tool.id}': {reason} [{place}]"


def _context(call: ToolCall, fault: Exception) -> JsonObject:
    run = call.run
    return {
        "tool_id": call.tool.id,
        "tool_name": call.tool.name,
        "execution_context": {
            "run_id": str(run.id),
            "step_id": call.step,
            "workflow_id": run.subject_id if run.kind == "workflow" else None,
            "app_id": run.app_id or None,
            "tenant_id": call.tenant_id,
            "user_id": str(run.created_by) if run.created_by else None,
        },
        "input_summary": summary(call.input),
        "error_details": {"name": type(fault).__name__, "message": str(fault)[:500]},
    }
