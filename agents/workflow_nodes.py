"""The workflow nodes "agent" and "tool", and the calls of the router and evaluator agents."""

from functools import partial
from typing import TYPE_CHECKING, Any

from agents.catalog.lookup import find_agent
from agents.llm.answer_text import answer_text
from agents.llm.model_choice import close, preload
from agents.loop.agent_loop import AgentRequest, Turn, load_agent, run_agent
from agents.loop.tool_calls import call_tool
from agents.tools.lookup import find_tool
from agents.tools.registry import ToolCall
from config.errors import AgentNotFound, ToolNotFound
from config.values.foreign_json import write_json
from config.values.json_schema import schema_problems
from config.values.json_types import JsonObject
from orchestration.program.registry import CLOSE, PRELOAD, NodeCall, answers_questions, node

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

PRELOAD.append(preload)
CLOSE.append(close)


def check_agent(config: JsonObject, tenant_id: str) -> list[str]:
    """What is wrong with an agent node's config."""
    agent_id = config.get("agent_id")
    if not isinstance(agent_id, str) or not agent_id:
        return ["config.agent_id is required: the id of an agent."]
    if not isinstance(config.get("prompt", ""), str):
        return ["config.prompt must be a text."]
    if config.get("output_schema") is not None and (wrong := schema_problems(config["output_schema"])):
        return [f"config.output_schema: {sentence}" for sentence in wrong]
    try:
        find_agent(tenant_id, agent_id)
    except AgentNotFound as fault:
        return [fault.message]
    return []


def check_tool(config: JsonObject, tenant_id: str) -> list[str]:
    """What is wrong with a tool node's config."""
    tool_id = config.get("tool_id")
    if not isinstance(tool_id, str) or not tool_id:
        return ["config.tool_id is required: the id of a tool."]
    try:
        find_tool(tenant_id, tool_id)
    except ToolNotFound as fault:
        return [fault.message]
    return []


@node("agent", check=check_agent, takes_input=True)
async def agent_node(ctx: "RunContext", call: NodeCall) -> Any:
    """The agent's answer: its JSON object, else {text, toolCalls, finishReason}."""
    agent = await load_agent(ctx, call.config["agent_id"])
    ask = AgentRequest(message(call), answer_schema=call.config.get("output_schema"))
    return result(await run_agent(ctx, agent, ask, prefix=call.name))


def message(call: NodeCall) -> str:
    """The agent's message: the prompt, with the input if one is configured beside it; without a prompt the input."""
    prompt = call.config.get("prompt")
    if not prompt:
        return as_text(call.input)
    return f"{prompt}\n\n{as_text(call.input)}" if "input" in call.config else str(prompt)


def as_text(value: Any) -> str:
    """A text as it is, anything else as JSON."""
    return value if isinstance(value, str) else write_json(value, default=str).decode()


def result(turn: Turn) -> JsonObject:
    """The answer's JSON object, also in a code fence, else {text, toolCalls, finishReason}."""
    if (data := turn.data) is not None:
        return data
    return {"text": turn.text, "toolCalls": turn.tool_calls, "finishReason": turn.finish_reason}


@node("tool", check=check_tool, takes_input=True)
async def tool_node(ctx: "RunContext", call: NodeCall) -> Any:
    """The tool's output."""
    run, tool_id = ctx.run, call.config["tool_id"]
    tool = await ctx.shared((run.tenant_id, "tool", tool_id), partial(find_tool, run.tenant_id, tool_id))
    return await call_tool(ToolCall(ctx, tool, call.input, call.name, run.mode, run))


@answers_questions
async def ask(ctx: "RunContext", name: str, agent_id: str, message: str) -> str:
    """An agent's answer to one message without its thoughts, recorded under this name; StepFailed without one."""

    async def answer() -> str:
        agent = await load_agent(ctx, agent_id)
        return answer_text((await run_agent(ctx, agent, AgentRequest(message), prefix=name)).text)

    return await ctx.step(name, answer, type="agent", silent=True)
