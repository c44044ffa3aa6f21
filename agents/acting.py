"""The tool calls of a turn: offered to the model as functions, made as recorded steps, told back to it."""

import contextlib
import json
import re
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from agents.excerpts import excerpt, main_argument
from agents.function_calls import FunctionCall
from agents.ledger import once
from agents.tools.calls import permitted, run_tool
from agents.tools.registry import ToolCall, ToolSpec
from config.errors import DomainError, Invalid
from orchestration import writes
from orchestration.retry import ONCE, Retry, StepFailed, Transient, describe

if TYPE_CHECKING:
    from orchestration.context import RunContext

TOOL_RETRY = Retry(3, 0.5)
TELL_BEGINNINGS = frozenset({"task"})  # kinds of runs whose watchers are told of a tool call as it begins, too
NOT_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")


def functions(tools: list[ToolSpec]) -> dict[str, ToolSpec]:
    """The tools by names that models accept: letters, digits, _ and -, at most 64, each once."""
    named: dict[str, ToolSpec] = {}
    for tool in tools:
        plain = NOT_A_NAME.sub("_", tool.id)[:64]
        name, number = plain, 2
        while name in named:
            name, number = f"{plain[:60]}_{number}", number + 1
        named[name] = tool
    return named


def function(name: str, tool: ToolSpec) -> dict[str, Any]:
    """The tool as a function in the OpenAI form."""
    schema = {"type": "object", "properties": {}} | tool.input_schema
    return {"type": "function", "function": {"name": name, "description": tool.description, "parameters": schema}}


async def act(ctx: "RunContext", agent_id: str, tools: dict[str, ToolSpec], call: FunctionCall, name: str) -> Any:
    """The result of a call, or {error, error_type}: a failed tool call does not fail the turn."""
    tool = tools.get(call.name)
    if tool is None:
        return {"error": f"There is no tool {call.name!r} among those offered.", "error_type": "TOOL_NOT_FOUND"}
    asked = ToolCall(ctx.run.tenant_id, tool, {}, ctx.run, name, ctx.run.mode, ctx, agent_id)
    retry = TOOL_RETRY if tool.idempotent else ONCE
    try:
        return await ctx.step(
            name, _use, ctx, asked, call.arguments,
            node_id=tool.id, type="tool", input=call.arguments, retry=retry, silent=True,
        )  # fmt: skip
    except StepFailed as failed:
        return {"error": failed.error, "error_type": failed.error_type}


async def _use(ctx: "RunContext", call: ToolCall, arguments: str) -> Any:
    try:
        given = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        raise Invalid({"input": ["The arguments are not valid JSON."]}) from None
    if ctx.run.kind in TELL_BEGINNINGS:
        told = main_argument(given) if isinstance(given, dict) else ""
        ctx.emit("tool_started", {"tool_id": call.tool.id, "argument": excerpt(told)}, call.step)
    return await use_tool(ctx, replace(call, input=given))


async def use_tool(ctx: "RunContext", call: ToolCall) -> Any:
    """The tool's output, told as a tool_call event whether it worked or not."""
    call, got = await permitted(call)
    began = time.perf_counter()
    told = {
        "tool_id": call.tool.id,
        "tool_name": call.tool.name,
        "input": excerpt(call.input),
        "risk_level": call.tool.risk_level,
    } | ({"approval_id": got.approval_id} if got.approval_id else {})
    try:
        output = await once(ctx, call, partial(run_tool, call))
    except (DomainError, Transient) as fault:
        error, error_type = describe(fault)
        failed = {"error": excerpt(error), "error_type": error_type, "duration_ms": _since(began)}
        ctx.emit("tool_call", told | failed, call.step)
        raise
    ctx.emit("tool_call", told | {"output": excerpt(output), "duration_ms": _since(began)}, call.step)
    if got.approval:
        ctx.pen.entry().add(writes.EXECUTED, step=got.approval)
    return output


def _since(began: float) -> int:
    return round((time.perf_counter() - began) * 1000)


def told(tools: dict[str, ToolSpec], call: FunctionCall, result: Any) -> dict[str, Any]:
    """A tool call as results show it."""
    tool = tools.get(call.name)
    return shown(tool.id if tool else call.name, tool.name if tool else call.name, call.arguments, result)


def shown(tool_id: str, tool_name: str, arguments: Any, result: Any) -> dict[str, Any]:
    """{toolId, toolName, args, result}; arguments that are no JSON stay as the text that the model wrote."""
    if isinstance(arguments, str):
        with contextlib.suppress(ValueError, RecursionError):
            arguments = json.loads(arguments or "{}")
    return {"toolId": tool_id, "toolName": tool_name, "args": arguments, "result": result}
