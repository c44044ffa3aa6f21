"""One tool call, from the arguments as they came to the output: the one way to every handler (RULINGS §8).

coerce → app scope → policy → budget → once → stage or handle. What policies judge, people approve, the ledger keeps and
events show is what the handler gets: the arguments in the tool's canonical form.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from agents.errors import ToolExecutionError
from agents.llm.function_calls import FunctionCall
from agents.loop.call_record import CallRecord, refuse
from agents.tools.faults import tool_errors
from agents.tools.functions import arguments_of, resolve
from agents.tools.ledger import once
from agents.tools.lookup import find_tool
from agents.tools.registry import Handler, ToolCall, ToolSpec
from agents.tools.scopes import check_scope
from agents.tools.staging.calls import stage_call
from config.errors import DomainError, Invalid, ToolNotFound
from config.values.foreign_json import NotJson, clean_value
from config.values.json_types import Json, JsonObject
from orchestration.program.policy_checks import Act, permit
from orchestration.program.registry import checks_arguments
from orchestration.program.retry import ONCE, Retry, StepFailed, Transient

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

TOOL_RETRY = Retry(3, 0.5)


async def call_tool(call: ToolCall, action: str = "tool_call", handler: Handler | None = None, **about: Any) -> Json:
    """The call's output, with a tool_call event whether it worked or not; in a draft the staged change's preview.

    `action` is what policies call it, `about` what else their conditions may name; `handler` works in place of the
    tool's. Raises Invalid naming wrong fields, ScopeDenied, PolicyDenied, BudgetExceeded, ToolUnavailable if another
    try may help, else ToolExecutionError; Rejected ends the run when a person says no.
    """
    record = CallRecord(call)
    try:
        record.coerce()
        await check_scope(record.call)
        record.allow(await permit(call.ctx, _act(record.call, action, about)))
        await call.ctx.check_budget(call.agent_id)
        async with once(record.call):
            with tool_errors(record.call):
                output = json_output(await (handler or _handler(record.call))(record.call))
    except (DomainError, Transient) as fault:
        record.fail(fault)
        raise
    record.complete(output)
    return output


async def call_for_model(
    ctx: "RunContext", agent_id: str, tools: dict[str, ToolSpec], call: FunctionCall, step: str
) -> Json:
    """The result of a call that a model makes, or {error, error_type}: a failed tool call does not fail the turn."""
    tool = tools.get(call.name)
    work: Callable[[], Awaitable[Json]]
    try:
        work = partial(call_tool, ToolCall(ctx, *resolve(tools, call), step, ctx.run.mode, ctx.run, agent_id))
    except (ToolNotFound, Invalid) as fault:
        work = partial(refuse, ctx, call, step, tool, fault)
    retry = TOOL_RETRY if tool and tool.idempotent else ONCE
    node_id, input = tool.id if tool else call.name, arguments_of(tool, call)
    try:
        return await ctx.step(step, work, node_id=node_id, type="tool", input=input, retry=retry, silent=True)
    except StepFailed as failed:
        return {"error": failed.error, "error_type": failed.error_type}


def _act(call: ToolCall, action: str, about: JsonObject) -> Act:
    """The call, as policies judge it, in the form in which a person's edited arguments are brought as well."""
    context = call_context(call.tool, call.agent_id) | about
    return Act(action, call.step, call.tool.id, call.input, context, call.tool.id, coerce=call.tool.canonical_input)


def call_context(tool: ToolSpec, agent_id: str = "") -> JsonObject:
    """What policies' conditions may name of a call: the tool, and the agent that makes it."""
    context: JsonObject = {
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
    return context | ({"agent_id": agent_id, "agent": {"id": agent_id}} if agent_id else {})


def _handler(call: ToolCall) -> Handler:
    """What does the work: the tool's handler; in a draft, for a call with side effects, what stages it."""
    return stage_call if call.is_staged else call.tool.handler


def json_output(output: Any) -> Json:
    """The output as it can be recorded; a call that was answered is not made again."""
    try:
        return clean_value(output)
    except NotJson as fault:
        raise ToolExecutionError(f"The tool was called and has answered, but its answer is no JSON: {fault}.") from None


@checks_arguments
def check_arguments(tenant_id: str, tool_id: str, arguments: JsonObject) -> JsonObject:
    """The arguments in the tool's canonical form; Invalid naming what does not fit."""
    return find_tool(tenant_id, tool_id).canonical_input(arguments)
