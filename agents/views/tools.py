"""/api/v1/tools (seed 000 §6) and their execution outside of runs (seed 004)."""

import asyncio
import time
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from uuid_utils.compat import uuid7

from agents.errors import ToolExecutionError, ToolUnavailable
from agents.models import Tool
from agents.serializers.tools import ToolExecutionSerializer, ToolSerializer
from agents.tools.calls import find_tool, run_tool
from agents.tools.registry import BUILT_IN, ToolCall
from agents.views.keyed import KeyedViewSet
from config.api import body_object
from config.errors import ToolNotFound
from governance import outbound


class ToolViewSet(KeyedViewSet):
    """Tools: a tenant's own and the built-in ones."""

    model, not_found = Tool, ToolNotFound
    serializer_class = ToolSerializer
    free_body = frozenset({"execute"})

    def built_in(self) -> list[Tool]:
        """The tools that are code."""
        return [
            Tool(
                key=tool.id,
                name=tool.name,
                description=tool.description,
                input_schema=tool.input_schema,
                handler_type=tool.handler_type,
                handler_config=tool.handler_config,
                risk_level=tool.risk_level,
                side_effects=list(tool.side_effects),
            )
            for tool in BUILT_IN.values()
        ]

    @extend_schema(request={"application/json": {"type": "object"}}, responses=ToolExecutionSerializer)
    @action(detail=True, methods=["post"])
    def execute(self, request: Request, id: str) -> Response:
        """The execution: status completed with the output, or failed with the reason."""
        input, began = _input(body_object(request)), time.perf_counter()
        call = ToolCall(request.tenant.pk, find_tool(request.tenant.pk, id), input)
        output, error = None, None
        try:
            output = asyncio.run(_run(call))
        except ToolExecutionError as fault:
            error = fault.message
        except ToolUnavailable as fault:
            error = str(fault)
        row = {
            "id": uuid7(),
            "tool_id": id,
            "status": "failed" if error else "completed",
            "input_data": input,
            "output_data": output,
            "error_message": error,
            "execution_time_ms": round((time.perf_counter() - began) * 1000),
        }
        return Response(ToolExecutionSerializer(row).data)


def _input(body: dict[str, Any]) -> dict[str, Any]:
    """The body, or what is in its only key `input`."""
    inner = body.get("input")
    return inner if len(body) == 1 and isinstance(inner, dict) else body


async def _run(call: ToolCall) -> Any:
    """The output, from a loop of this request's own: sessions end with it."""
    try:
        return await run_tool(call)
    finally:
        await outbound.close()
