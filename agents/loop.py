"""The agent loop, shared by all that think: ask the model, run the tool calls it makes, tell it what came of them.

Each model call and each tool call is a recorded step of its own, so that a crash repeats at most the one in flight.
"""

import json
import re
import time
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from agents import serving
from agents.chat import FunctionCall, ModelReply, ModelRequest
from agents.errors import AgentExecutionError, ModelUnavailable
from agents.excerpts import excerpt
from agents.llm import UNKNOWN_PRICE
from agents.lookup import AgentSpec, find_agent
from agents.tools.calls import find_tools, run_tool
from agents.tools.registry import ToolCall, ToolSpec
from config.errors import DomainError, Invalid
from governance.budgets import MICRO_PER_CENT
from orchestration.retry import ONCE, Retry, StepFailed, Transient, describe

if TYPE_CHECKING:
    from orchestration.context import RunContext

MAX_TURNS = 10
MODEL_RETRY = Retry(3, 1.0)
TOOL_RETRY = Retry(3, 0.5)
RESULT_MOST = 50_000  # characters of a tool's result that the model is told
NOT_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(frozen=True)
class Turn:
    """How the loop ended: the model's last answer, and all tool calls made on the way."""

    text: str
    finish_reason: str
    tool_calls: list[dict[str, Any]] = field(default_factory=list)


async def load_agent(ctx: "RunContext", agent_id: str) -> AgentSpec:
    """The run's tenant's agent; AgentNotFound, or AgentExecutionError when it is switched off."""
    tenant_id = ctx.run.tenant_id
    agent = await ctx.shared((tenant_id, "agent", agent_id), partial(find_agent, tenant_id, agent_id))
    if not agent.is_active:
        raise AgentExecutionError(f"The agent {agent_id} is not active; set its is_active to true.", agent_id=agent_id)
    return agent


async def run_agent(
    ctx: "RunContext", agent: AgentSpec, message: str, *, prefix: str, max_turns: int = MAX_TURNS
) -> Turn:
    """The agent's answer to a message; its steps are named {prefix}/model-1, {prefix}/tool-1.1 and so on."""
    tools = functions(await _tools(ctx, agent))
    system = [{"role": "system", "content": agent.instructions}] if agent.instructions else []
    messages: list[dict[str, Any]] = [*system, {"role": "user", "content": message}]
    offered = [_function(name, tool) for name, tool in tools.items()]
    made: list[dict[str, Any]] = []
    for turn in range(1, max_turns + 1):
        request = ModelRequest(agent.id, agent.profile, list(messages), offered)
        name = f"{prefix}/model-{turn}"
        told = {"agent_id": agent.id, "messages": len(messages)}
        recorded = await ctx.step(
            name, ask_model, ctx, request, name, type="model", input=told, retry=MODEL_RETRY, silent=True
        )
        calls = [FunctionCall(**call) for call in recorded["tool_calls"]]
        if not calls:
            return Turn(recorded["text"], recorded["finish_reason"], made)
        names = [f"{prefix}/tool-{turn}.{number}" for number in range(1, len(calls) + 1)]
        results = await ctx.gather(*[_act(ctx, tools, *pair) for pair in zip(calls, names, strict=True)])
        made += [_told(tools, call, result) for call, result in zip(calls, results, strict=True)]
        messages += _observed(recorded["text"], calls, results)
    raise AgentExecutionError(
        f"The agent {agent.id} did not come to an answer within {max_turns} model calls.", agent_id=agent.id
    )


async def _tools(ctx: "RunContext", agent: AgentSpec) -> list[ToolSpec]:
    """The tools that the agent may call, those of them that exist."""
    if not agent.allowed_tools:
        return []
    tenant_id = ctx.run.tenant_id
    return await ctx.shared(
        (tenant_id, "tools", *agent.allowed_tools), partial(find_tools, tenant_id, agent.allowed_tools)
    )


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


def _function(name: str, tool: ToolSpec) -> dict[str, Any]:
    schema = {"type": "object", "properties": {}} | tool.input_schema
    return {"type": "function", "function": {"name": name, "description": tool.description, "parameters": schema}}


# ---- the model


async def ask_model(ctx: "RunContext", request: ModelRequest, step: str) -> dict[str, Any]:
    """The model's reply as JSON, paid from the run's budget and told as an llm_call event."""
    model = serving.chat_model(request.profile)
    estimate = await model.estimate(request)
    began = time.perf_counter()
    async with ctx.spend(calls=1, cost_micro=estimate) as bill:
        try:
            reply = await model.complete(request)
        except (ModelUnavailable, AgentExecutionError) as fault:
            error, error_type = describe(fault)
            took = round((time.perf_counter() - began) * 1000)
            told = {"agent_id": request.agent_id, "model": model.model, "provider": model.provider, "latency_ms": took}
            ctx.emit("llm_call", told | {"error": excerpt(error), "error_type": error_type}, step)
            raise
        bill.actual(_charge(ctx, reply), reply.prompt_tokens, reply.completion_tokens)
    ctx.emit("llm_call", _llm_call(request.agent_id, reply), step)
    return asdict(reply)


def _charge(ctx: "RunContext", reply: ModelReply) -> int:
    """What the run is charged; for a model without a known price a dear one when limits apply, else nothing."""
    if reply.cost_micro is not None:
        return reply.cost_micro
    return UNKNOWN_PRICE.cost(reply.prompt_tokens, reply.completion_tokens) if ctx.run.budget_ids else 0


def _llm_call(agent_id: str, reply: ModelReply) -> dict[str, Any]:
    return {
        "agent_id": agent_id,
        "model": reply.model,
        "provider": reply.provider,
        "finishReason": reply.finish_reason,
        "usage": {"promptTokens": reply.prompt_tokens, "completionTokens": reply.completion_tokens},
        "estimated_cost_cents": None if reply.cost_micro is None else round(reply.cost_micro / MICRO_PER_CENT, 4),
        "priced": reply.priced,
        "latency_ms": reply.latency_ms,
    }


# ---- the tools


async def _act(ctx: "RunContext", tools: dict[str, ToolSpec], call: FunctionCall, name: str) -> Any:
    """The result of a call, or {error, error_type}: a failed tool call does not fail the turn."""
    tool = tools.get(call.name)
    if tool is None:
        return {"error": f"There is no tool {call.name!r} among those offered.", "error_type": "TOOL_NOT_FOUND"}
    asked = ToolCall(ctx.run.tenant_id, tool, {}, ctx.run, name, ctx.run.mode)
    retry = TOOL_RETRY if tool.idempotent else ONCE
    try:
        return await ctx.step(
            name,
            _use,
            ctx,
            asked,
            call.arguments,
            node_id=tool.id,
            type="tool",
            input=call.arguments,
            retry=retry,
            silent=True,
        )
    except StepFailed as failed:
        return {"error": failed.error, "error_type": failed.error_type}


async def _use(ctx: "RunContext", call: ToolCall, arguments: str) -> Any:
    try:
        given = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        raise Invalid({"input": ["The arguments are not valid JSON."]}) from None
    return await use_tool(ctx, replace(call, input=given))


async def use_tool(ctx: "RunContext", call: ToolCall) -> Any:
    """The tool's output, told as a tool_call event whether it worked or not."""
    began = time.perf_counter()
    told = {"tool_id": call.tool.id, "input": excerpt(call.input), "risk_level": call.tool.risk_level}
    try:
        output = await run_tool(call)
    except (DomainError, Transient) as fault:
        error, error_type = describe(fault)
        failed = {"error": excerpt(error), "error_type": error_type, "duration_ms": _since(began)}
        ctx.emit("tool_call", told | failed, call.step)
        raise
    ctx.emit("tool_call", told | {"output": excerpt(output), "duration_ms": _since(began)}, call.step)
    return output


def _since(began: float) -> int:
    return round((time.perf_counter() - began) * 1000)


def _observed(text: str, calls: list[FunctionCall], results: list[Any]) -> list[dict[str, Any]]:
    """The messages that tell the model what it called and what came of it."""
    asked = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in calls
    ]
    told = [
        {"role": "tool", "tool_call_id": call.id, "content": orjson.dumps(result).decode()[:RESULT_MOST]}
        for call, result in zip(calls, results, strict=True)
    ]
    return [{"role": "assistant", "content": text or None, "tool_calls": asked}, *told]


def _told(tools: dict[str, ToolSpec], call: FunctionCall, result: Any) -> dict[str, Any]:
    """A tool call as results and streams show it."""
    tool = tools.get(call.name)
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        arguments = call.arguments
    return {
        "toolId": tool.id if tool else call.name,
        "toolName": tool.name if tool else call.name,
        "args": arguments,
        "result": result,
    }
