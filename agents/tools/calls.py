"""A tool call: the tool exists, it may be called, the input fits its schema, it does its work."""

import asyncio
import inspect
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

from agents.errors import DraftRefused, ToolExecutionError, ToolUnavailable
from agents.excerpts import summary
from agents.models import Tool
from agents.tools.http_handler import call_url
from agents.tools.registry import BUILT_IN, ToolCall, ToolSpec
from agents.tools.schema import checked
from config.errors import ToolNotFound
from governance.outbound import OutboundRefused, Unreachable

if TYPE_CHECKING:
    from orchestration.claims import RunInfo


def find_tool(tenant_id: str, tool_id: str) -> ToolSpec:
    """The tool of this id, built-in or the tenant's; ToolNotFound without one."""
    found = find_tools(tenant_id, [tool_id])
    if not found:
        raise ToolNotFound(f"There is no tool {tool_id!r}.", tool_id=tool_id)
    return found[0]


def find_tools(tenant_id: str, tool_ids: Iterable[str]) -> list[ToolSpec]:
    """Those of these tools that exist, in the given order."""
    ids = list(dict.fromkeys(tool_ids))
    own = [id for id in ids if id not in BUILT_IN]
    stored = {row.key: spec(row) for row in Tool.objects.for_tenant(tenant_id).filter(key__in=own)} if own else {}
    return [found for id in ids if (found := BUILT_IN.get(id) or stored.get(id))]


def spec(row: Tool) -> ToolSpec:
    """A stored tool."""
    return ToolSpec(
        row.key,
        row.name,
        row.description,
        row.input_schema,
        call_url,
        handler_type=row.handler_type,
        handler_config=row.handler_config,
        risk_level=row.risk_level,
        side_effects=tuple(row.side_effects),
    )


async def call_tool(
    tenant_id: str, tool_id: str, input: Any, *, run: "RunInfo | None" = None, step: str = "", mode: str = "auto"
) -> Any:
    """The output of a tool of this tenant."""
    found = await sync_to_async(find_tool)(tenant_id, tool_id)
    return await run_tool(ToolCall(tenant_id, found, input, run, step, mode))


async def run_tool(call: ToolCall) -> Any:
    """The call's output.

    Raises Invalid naming wrong fields, DraftRefused, ToolUnavailable if another try may help, else ToolExecutionError.
    """
    # Policies and app scopes are decided here, before anything looks at the input.
    call = replace(call, input=checked(call.tool.input_schema, call.input))
    if call.mode == "draft" and call.tool.acts(call.input):
        raise DraftRefused(
            f"The tool {call.tool.id} has side effects ({', '.join(call.tool.side_effects)}) and this run is a draft. "
            "Staging is not available: start the run in mode auto to let it act.",
            tool_id=call.tool.id,
        )
    try:
        return await _handled(call)
    except Unreachable as fault:
        raise ToolUnavailable(_sentence(call, str(fault)), context=_context(call, fault)) from None
    except OutboundRefused as fault:
        raise ToolExecutionError(_sentence(call, fault.message), **_context(call, fault)) from None
    except ToolUnavailable as fault:
        raise ToolUnavailable(_sentence(call, str(fault)), fault.retry_after_s, _context(call, fault)) from None
    except ToolExecutionError as fault:
        raise ToolExecutionError(_sentence(call, fault.message), **_context(call, fault)) from None


async def _handled(call: ToolCall) -> Any:
    handler = call.tool.handler
    if inspect.iscoroutinefunction(handler):
        return await handler(call)
    return await asyncio.to_thread(handler, call)


def _sentence(call: ToolCall, reason: str) -> str:
    where = [("Run", str(call.run.id)), ("Step", call.step)] if call.run else []
    told = ", ".join(f"{name}: {value}" for name, value in [*where, ("Tenant", call.tenant_id)])
    return f"Tool execution failed for '{call.tool.id}': {reason} [{told}]"


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
