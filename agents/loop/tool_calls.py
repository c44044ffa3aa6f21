"""One tool call, from the arguments as they came to the output: the one way to every handler (RULINGS §8).

coerce → app scope → policy → budget → once → stage or handle. What policies judge, people approve, the ledger keeps and
events show is what the handler gets: the arguments in the tool's canonical form.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from agents.errors import ToolExecutionError
from agents.excerpts import excerpt
from agents.tools.faults import with_tool_errors
from agents.tools.ledger import once
from agents.tools.lookup import find_tool
from agents.tools.registry import ToolCall, ToolSpec
from agents.tools.scopes import check_scope
from agents.tools.staging.calls import stage_call
from config.errors import DomainError
from config.values.foreign_json import NotJson, clean_value
from governance.policies.evaluation import PolicyDenied
from orchestration.program.policy_checks import Act, Permit, permit
from orchestration.program.registry import checks_arguments
from orchestration.program.retry import Transient, describe

Perform = Callable[[ToolCall], Awaitable[Any]]


async def call_tool(call: ToolCall, action: str = "tool_call", perform: Perform | None = None, **about: Any) -> Any:
    """The call's output, told as a tool_call event whether it worked or not; in a draft the staged change's preview.

    `action` is what policies call it, `about` what else their conditions may name; `perform` does the work in place of
    stage_or_handle. Raises Invalid naming wrong fields, ScopeDenied, PolicyDenied, BudgetExceeded, ToolUnavailable if
    another try may help, else ToolExecutionError; Rejected ends the run when a person says no.
    """
    assert call.ctx, "a tool is called within a run"
    record = CallRecord(call)
    try:
        record.call = coerced(call)
        await check_scope(record.call)
        record.permitted(await permission(record.call, action, about))
        await call.ctx.within_budget(call.agent_id)
        output = await once(record.call, partial(perform or stage_or_handle, record.call))
    except (DomainError, Transient) as fault:
        record.failed(fault)
        raise
    record.completed(output)
    return output


def coerced(call: ToolCall) -> ToolCall:
    """The call with arguments in the tool's canonical form; Invalid naming what does not fit."""
    return replace(call, input=call.tool.canonical_input(call.input))


async def permission(call: ToolCall, action: str, about: dict[str, Any]) -> Permit:
    """The policies' permit, after a person's yes where they want one, for arguments that may have been edited then."""
    assert call.ctx
    what = Act(
        action,
        call.step,
        call.tool.id,
        call.input,
        call_context(call.tool, call.agent_id) | about,
        call.tool.id,
        fit=call.tool.canonical_input,
    )
    return await permit(call.ctx, what)


def call_context(tool: ToolSpec, agent_id: str = "") -> dict[str, Any]:
    """What policies' conditions may name of a call: the tool, and the agent that makes it."""
    context: dict[str, Any] = {
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


async def stage_or_handle(call: ToolCall) -> Any:
    """In a draft the preview of a call with side effects, which is staged; else what the tool's handler answers."""
    if call.mode == "draft" and call.tool.acts(call.input) and not (_converses(call) and call.tool.remembers):
        return await with_tool_errors(call, stage_call(call))
    return await with_tool_errors(call, handle(call))


def _converses(call: ToolCall) -> bool:
    return call.run is not None and call.run.kind == "conversation"


async def handle(call: ToolCall) -> Any:
    """What the tool's function answers, as it can be recorded; a call that was answered is not made again."""
    handler = call.tool.handler
    if inspect.iscoroutinefunction(handler):
        output = await handler(call)
    else:
        output = await (call.ctx.engine.in_thread(handler, call) if call.ctx else asyncio.to_thread(handler, call))
    try:
        return clean_value(output)
    except NotJson as fault:
        raise ToolExecutionError(f"The tool was called and has answered, but its answer is no JSON: {fault}.") from None


class CallRecord:
    """What a run's events, and its step's input, show of one call."""

    def __init__(self, call: ToolCall) -> None:
        self.call = call
        self.permit: Permit | None = None
        self.began = time.perf_counter()

    def permitted(self, permit: Permit) -> None:
        """From here on it is the call that the policies let be made; the time that a person took does not count."""
        self.call = replace(self.call, input=permit.input, mode="draft" if permit.draft else self.call.mode)
        self.permit, self.began = permit, time.perf_counter()
        assert self.call.ctx
        self.call.ctx.show_input(self.call.step, permit.input)

    def failed(self, fault: DomainError | Transient) -> None:
        """Tell the fault; what a policy denies is told by its policy_eval event."""
        if not isinstance(fault, PolicyDenied):
            error, error_type = describe(fault)
            self._emit({"error": excerpt(error), "error_type": error_type})

    def completed(self, output: Any) -> None:
        """Tell the output; an approval that the call was bound to is used up."""
        self._emit({"output": excerpt(output)})
        if self.permit and self.permit.approval and self.call.ctx:
            self.call.ctx.pen.entry().add("approved_calls", step=self.permit.approval)

    def _emit(self, outcome: dict[str, Any]) -> None:
        tool, approval_id = self.call.tool, self.permit.approval_id if self.permit else None
        duration_ms = round((time.perf_counter() - self.began) * 1000)
        payload = {
            "tool_id": tool.id,
            "tool_name": tool.name,
            "input": excerpt(self.call.input),
            "risk_level": tool.risk_level,
        }
        payload |= {"approval_id": approval_id} if approval_id else {}
        assert self.call.ctx
        self.call.ctx.emit("tool_call", payload | outcome | {"duration_ms": duration_ms}, self.call.step)


@checks_arguments
def check_arguments(tenant_id: str, tool_id: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments in the tool's canonical form; Invalid naming what does not fit."""
    return find_tool(tenant_id, tool_id).canonical_input(arguments)
