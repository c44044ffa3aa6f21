"""Which tools there are: the built-in ones, and each tenant's own."""

from collections.abc import Iterable

from agents.handlers.code_function import run_code
from agents.handlers.http_call import call_url
from agents.handlers.mcp_tool import call_mcp
from agents.handlers.remote import call_remote
from agents.models import HandlerType, Tool
from agents.tools.registry import BUILT_IN, Handler, ToolSpec
from config.errors import ToolNotFound


def find_tool(tenant_id: str, tool_id: str) -> ToolSpec:
    """The tool of this id, built-in or the tenant's; ToolNotFound without one."""
    tools = find_tools(tenant_id, [tool_id])
    if not tools:
        raise ToolNotFound(f"There is no tool {tool_id!r}.", tool_id=tool_id)
    return tools[0]


def find_tools(tenant_id: str, tool_ids: Iterable[str]) -> list[ToolSpec]:
    """Those of these tools that exist, in the given order."""
    ids = list(dict.fromkeys(tool_ids))
    own = [id for id in ids if id not in BUILT_IN]
    rows = {row.key: spec(row) for row in Tool.objects.for_tenant(tenant_id).filter(key__in=own)} if own else {}
    return [tool for id in ids if (tool := BUILT_IN.get(id) or rows.get(id))]


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
        sealed_secrets=row.sealed,
    )
