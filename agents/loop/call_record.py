"""What a run's record shows of tool calls: their events, the input of their steps, and their entries in results."""

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from agents.excerpts import excerpt, main_argument
from agents.llm.function_calls import FunctionCall, parse_arguments
from agents.tools.functions import arguments_of
from agents.tools.registry import ToolCall, ToolSpec
from config.errors import DomainError, Invalid
from config.values.json_types import Json, JsonObject
from governance.policies.evaluation import PolicyDenied
from orchestration.program.policy_checks import Permit
from orchestration.program.retry import Transient, describe

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

KINDS_WITH_STARTS = frozenset({"task"})  # kinds of runs whose events say that a tool call begins, too


class CallRecord:
    """The record of one call; `call` is the call as far as it has come: coerced, then permitted."""

    def __init__(self, call: ToolCall) -> None:
        self.call = call
        self.permit: Permit | None = None
        self.start = time.perf_counter()

    def coerce(self) -> None:
        """Bring the arguments into the tool's canonical form; Invalid naming what does not fit."""
        try:
            self.call = replace(self.call, input=self.call.tool.canonical_input(self.call.input))
        finally:
            if self.call.run.kind in KINDS_WITH_STARTS:
                payload = {"tool_id": self.call.tool.id, "argument": excerpt(main_argument(self.call.input))}
                self.call.ctx.emit("tool_started", payload, self.call.step)

    def allow(self, permit: Permit) -> None:
        """From here on it is the call that the policies let be made; the time that a person took does not count."""
        self.call = replace(self.call, input=permit.input, mode="draft" if permit.draft else self.call.mode)
        self.permit, self.start = permit, time.perf_counter()
        self.call.ctx.show_input(self.call.step, permit.input)

    def fail(self, fault: DomainError | Transient) -> None:
        """Emit the fault; what a policy denies has its policy_eval event."""
        if not isinstance(fault, PolicyDenied):
            error, error_type = describe(fault)
            self._emit({"error": excerpt(error), "error_type": error_type})

    def complete(self, output: Json) -> None:
        """Emit the output; an approval that the call was bound to is used up."""
        self._emit({"output": excerpt(output)})
        if self.permit and self.permit.approval:
            self.call.ctx.writer.entry().add("approved_calls", step=self.permit.approval)

    def _emit(self, outcome: JsonObject) -> None:
        tool, approval_id = self.call.tool, self.permit.approval_id if self.permit else None
        payload = _tool(tool) | {"input": excerpt(self.call.input), "risk_level": tool.risk_level}
        payload |= {"approval_id": approval_id} if approval_id else {}
        duration_ms = round((time.perf_counter() - self.start) * 1000)
        self.call.ctx.emit("tool_call", payload | outcome | {"duration_ms": duration_ms}, self.call.step)


async def refuse(ctx: "RunContext", call: FunctionCall, step: str, tool: ToolSpec | None, fault: DomainError) -> None:
    """Emit a call of a model's that cannot be made, and raise why."""
    error, error_type = describe(fault)
    payload = _tool(tool) if tool else {"tool_id": call.name, "tool_name": call.name}
    payload |= {"input": excerpt(call.arguments), "risk_level": tool.risk_level if tool else "low"}
    ctx.emit("tool_call", payload | {"error": excerpt(error), "error_type": error_type, "duration_ms": 0}, step)
    raise fault


def _tool(tool: ToolSpec) -> JsonObject:
    return {"tool_id": tool.id, "tool_name": tool.name}


def call_result(
    ctx: "RunContext", tools: dict[str, ToolSpec], call: FunctionCall, step: str, result: Json
) -> JsonObject:
    """A model's tool call as results show it, with the arguments that a person approved in place of the model's."""
    tool = tools.get(call.name)
    arguments = _approved_arguments(ctx, step) or arguments_of(tool, call)
    return call_json(tool.id if tool else call.name, tool.name if tool else call.name, arguments, result)


def _approved_arguments(ctx: "RunContext", step: str) -> JsonObject | None:
    answers = [record.output for name, record in ctx.run.steps.items() if name.startswith(f"{step}#approval-")]
    edits = [answer["arguments"] for answer in answers if isinstance(answer, dict) and "arguments" in answer]
    return edits[-1] if edits else None


def call_json(tool_id: str, tool_name: str, arguments: Json, result: Json) -> JsonObject:
    """{toolId, toolName, args, result}; arguments that are no JSON object stay as the text that the model wrote."""
    if isinstance(arguments, str):
        with suppress(Invalid):
            arguments = parse_arguments(arguments)
    return {"toolId": tool_id, "toolName": tool_name, "args": arguments, "result": result}
