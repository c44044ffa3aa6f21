"""The tool calls of a turn: offered to the model as functions, made as recorded steps, shown in results."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from agents.excerpts import excerpt, main_argument
from agents.llm.function_calls import FunctionCall, parse_arguments
from agents.llm.messages import MAX_NAME, function_name
from agents.loop.tool_calls import call_tool
from agents.tools.registry import ToolCall, ToolSpec
from config.errors import DomainError, Invalid, ToolNotFound
from orchestration.program.retry import ONCE, Retry, StepFailed, describe

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

TOOL_RETRY = Retry(3, 0.5)
TELL_BEGINNINGS = frozenset({"task"})  # kinds of runs whose watchers are told of a tool call as it begins, too
CUT_OFF = (
    "The answer ended in the middle of this call, so it was not made. Make it again, whole, with shorter arguments."
)


def functions(tools: list[ToolSpec]) -> dict[str, ToolSpec]:
    """The tools by names that models accept: letters, digits, _ and -, at most 64, each once."""
    named: dict[str, ToolSpec] = {}
    for tool in tools:
        plain = function_name(tool.id)
        name, number = plain, 2
        while name in named:
            name, number = f"{plain[: MAX_NAME - 4]}_{number}", number + 1
        named[name] = tool
    return named


def function(name: str, tool: ToolSpec) -> dict[str, Any]:
    """The tool as a function in the OpenAI form."""
    schema = {"type": "object", "properties": {}} | tool.input_schema
    return {"type": "function", "function": {"name": name, "description": tool.description, "parameters": schema}}


async def act(ctx: "RunContext", agent_id: str, tools: dict[str, ToolSpec], call: FunctionCall, name: str) -> Any:
    """The result of a call, or {error, error_type}: a failed tool call does not fail the turn."""
    tool = tools.get(call.name)
    work: Callable[..., Any] = partial(_refuse, ctx, call, name)
    if tool:
        tool_call = ToolCall(ctx.run.tenant_id, tool, {}, ctx.run, name, ctx.run.mode, ctx, agent_id)
        work = partial(_parse_and_call, ctx, tool_call, call)
    retry = TOOL_RETRY if tool and tool.idempotent else ONCE
    node_id = tool.id if tool else call.name
    try:
        return await ctx.step(
            name, work, node_id=node_id, type="tool", input=arguments_of(tool, call), retry=retry, silent=True
        )
    except StepFailed as failed:
        return {"error": failed.error, "error_type": failed.error_type}


async def _parse_and_call(ctx: "RunContext", tool_call: ToolCall, call: FunctionCall) -> Any:
    """The tool's output for what the model has written."""
    if call.is_cut:
        return await _refuse(ctx, call, tool_call.step, tool_call.tool, Invalid({"input": [CUT_OFF]}))
    try:
        arguments = parse_arguments(call.arguments)
    except Invalid as unreadable:
        return await _refuse(ctx, call, tool_call.step, tool_call.tool, unreadable)
    if ctx.run.kind in TELL_BEGINNINGS:
        canonical = arguments_of(tool_call.tool, call)
        argument = main_argument(canonical if isinstance(canonical, dict) else arguments)
        ctx.emit("tool_started", {"tool_id": tool_call.tool.id, "argument": excerpt(argument)}, tool_call.step)
    return await call_tool(replace(tool_call, input=arguments))


async def _refuse(
    ctx: "RunContext", call: FunctionCall, step: str, tool: ToolSpec | None = None, fault: DomainError | None = None
) -> Any:
    """Tell that the call cannot be made, and raise why: the tool is unknown, or its arguments cannot be read."""
    fault = fault or ToolNotFound(f"There is no tool {call.name!r} among those offered.")
    error, error_type = describe(fault)
    payload = {
        "tool_id": tool.id if tool else call.name,
        "tool_name": tool.name if tool else call.name,
        "input": excerpt(call.arguments),
        "risk_level": tool.risk_level if tool else "low",
        "error": excerpt(error),
        "error_type": error_type,
        "duration_ms": 0,
    }
    ctx.emit("tool_call", payload, step)
    raise fault


def arguments_of(tool: ToolSpec | None, call: FunctionCall) -> Any:
    """The arguments as the tool gets them; as far as they cannot be read, or do not fit, as the model wrote them."""
    try:
        arguments = parse_arguments(call.arguments)
        return tool.canonical_input(arguments) if tool else arguments
    except Invalid:
        return call.arguments


def told(ctx: "RunContext", tools: dict[str, ToolSpec], call: FunctionCall, name: str, result: Any) -> dict[str, Any]:
    """A tool call as results show it."""
    tool = tools.get(call.name)
    arguments = _edited(ctx, name) or arguments_of(tool, call)
    return shown(tool.id if tool else call.name, tool.name if tool else call.name, arguments, result)


def _edited(ctx: "RunContext", name: str) -> dict[str, Any] | None:
    """The arguments that a person has approved in place of the model's."""
    answers = [step.output for key, step in ctx.run.steps.items() if key.startswith(f"{name}#approval-")]
    edited = [answer["arguments"] for answer in answers if isinstance(answer, dict) and "arguments" in answer]
    return edited[-1] if edited else None


def shown(tool_id: str, tool_name: str, arguments: Any, result: Any) -> dict[str, Any]:
    """{toolId, toolName, args, result}; arguments that are no JSON object stay as the text that the model wrote."""
    if isinstance(arguments, str):
        with suppress(Invalid):
            arguments = parse_arguments(arguments)
    return {"toolId": tool_id, "toolName": tool_name, "args": arguments, "result": result}
