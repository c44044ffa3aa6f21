"""A tool call: the tool exists, the policies and its app's scopes let it be called, the input fits its schema, it does
its work (RULINGS §8).
"""

import asyncio
import inspect
from collections.abc import Awaitable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from agents.drafts.staging import stage_call
from agents.errors import ToolExecutionError, ToolUnavailable
from agents.excerpts import summary
from agents.handlers.code import run_code
from agents.handlers.http import call_url
from agents.handlers.mcp import call_mcp
from agents.handlers.remote import call_remote
from agents.models import HandlerType, Tool
from agents.tools.registry import BUILT_IN, Handler, ToolCall, ToolSpec
from agents.tools.schema import checked
from config.errors import ScopeDenied, ToolNotFound
from governance.outbound import OutboundRefused, Unreachable
from orchestration.governing import Act, Permit, permit
from orchestration.models import App
from orchestration.programs import checks_arguments


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


HANDLERS: dict[str, Handler] = {
    HandlerType.HTTP: call_url,
    HandlerType.REMOTE: call_remote,
    HandlerType.MCP: call_mcp,
    HandlerType.CODE: run_code,
}


def spec(row: Tool) -> ToolSpec:
    """A stored tool."""
    return ToolSpec(
        row.key,
        row.name,
        row.description,
        row.input_schema,
        HANDLERS[row.handler_type],
        handler_type=row.handler_type,
        handler_config=row.handler_config,
        risk_level=row.risk_level,
        side_effects=tuple(row.side_effects),
        idempotent=row.idempotent,
        sealed=row.sealed,
    )


async def permitted(call: ToolCall, action: str = "tool_call", **more: Any) -> tuple[ToolCall, Permit]:
    """(the call as the policies let it be made, their permit), after a person's yes where they want one. `more` is what
    else conditions and scopes know of it.

    Raises PolicyDenied.
    """
    tool = call.tool
    assert call.ctx
    about: dict[str, Any] = {
        "tool_id": tool.id,
        "risk_level": tool.risk_level,
        "tool": {
            "id": tool.id,
            "name": tool.name,
            "risk_level": tool.risk_level,
            "side_effects": list(tool.side_effects),
            "handler_type": tool.handler_type,
        },
    }
    if call.agent_id:
        about |= {"agent_id": call.agent_id, "agent": {"id": call.agent_id}}
    got = await permit(call.ctx, Act(action, call.step, tool.id, call.input, about | more, tool.id))
    return replace(call, input=got.input, mode="draft" if got.draft else call.mode), got


@checks_arguments
def check_arguments(tenant_id: str, tool_id: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments, fit for the tool; Invalid naming what does not fit."""
    return checked(find_tool(tenant_id, tool_id).input_schema, arguments)


async def run_tool(call: ToolCall) -> Any:
    """The call's output.

    In a draft a call with side effects is staged, and answered with a preview. Raises Invalid naming wrong fields,
    ScopeDenied, ToolUnavailable if another try may help, else ToolExecutionError.
    """
    await _check_scope(call)
    call = replace(call, input=checked(call.tool.input_schema, call.input))
    if call.mode == "draft" and call.tool.acts(call.input) and not (_converses(call) and call.tool.remembers):
        return await _told(call, stage_call(call))
    return await _told(call, handled(call))


async def _told(call: ToolCall, work: Awaitable[Any]) -> Any:
    """The work's output; its faults as the contract's sentence."""
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


def _converses(call: ToolCall) -> bool:
    return call.run is not None and call.run.kind == "conversation"


async def _check_scope(call: ToolCall) -> None:
    """Refuse a tool that the run's app has no scope for, and those that only an app may call when there is none."""
    app_id = call.run.app_id if call.run else ""
    if not app_id:
        if call.tool.needs_scope:
            raise ScopeDenied(f"The tool {call.tool.id} may be called only by an app that has a scope for it.")
        return
    assert call.ctx
    scopes = await call.ctx.shared((call.tenant_id, "scopes", app_id), partial(scopes_of, call.tenant_id, app_id))
    wanted = {("tool", call.tool.id), ("external", call.tool.id)}
    if call.tool.id.startswith("memory."):
        wanted |= {("memory", call.tool.id), ("memory", call.tool.id.removeprefix("memory."))}
    if not wanted & scopes:
        raise ScopeDenied(f"The app {app_id} has no scope for the tool {call.tool.id}.", app_id=app_id)


def scopes_of(tenant_id: str, app_id: str) -> frozenset[tuple[str, str]]:
    """(type, value) of what the app may touch; nothing when it is gone."""
    app = App.objects.for_tenant(tenant_id).filter(key=app_id).first()
    return frozenset((scope["type"], scope["value"]) for scope in app.scopes) if app else frozenset()


async def handled(call: ToolCall) -> Any:
    """What the tool's function answers."""
    handler = call.tool.handler
    if inspect.iscoroutinefunction(handler):
        return await handler(call)
    return await (call.ctx.engine.in_thread(handler, call) if call.ctx else asyncio.to_thread(handler, call))


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
