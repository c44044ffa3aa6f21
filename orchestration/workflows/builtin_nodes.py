"""What the node types do that need no agent and no tool; each answers the node's output.

Routers and parallel nodes only decide where a run goes next: routing.py. Agents and tools come from the app above.
"""

import asyncio
import math
import time
from dataclasses import replace
from functools import partial
from typing import Any

from config.errors import DomainError
from config.values.json_schema import validate_input
from orchestration.models import Workflow
from orchestration.program.context import RunContext
from orchestration.program.registry import NODES, NodeCall, NodeKind, node
from orchestration.program.retry import ONCE, Retry, StepFailed
from orchestration.program.waits.approvals import Question
from orchestration.workflows.definition.graph import Node
from orchestration.workflows.definition.input_schema import Schema, fitted_input
from orchestration.workflows.expressions import templates

MAX_WAIT_S = 366 * 24 * 3600
MAX_ITEMS = 10_000
MAP_PARALLEL = 10


class NodeFailed(DomainError):
    """The node cannot do what its config says with the data that it was given."""

    code = "NODE_ERROR"


@node("static", pure=True)
@node("transform", pure=True)
async def answer(ctx: RunContext, call: NodeCall) -> Any:
    """The config's output, its references filled in."""
    if "output" in call.config:
        return call.config["output"]
    return {"message": f"The node {call.node_id} has no output of its own."}


@node("human_gate", waits=True)
async def ask_a_person(ctx: RunContext, call: NodeCall) -> dict[str, Any]:
    """The decision, once a person has said yes; a no ends the run."""
    role = call.config.get("role") or "developer"
    question = Question(
        node_id=call.node_id,
        message=str(call.config.get("message") or ""),
        role="user" if role == "viewer" else role,
        expires_s=call.config.get("expires_s"),
    )
    return await ctx.approval(f"{call.name}#approval", question)


@node("wait", waits=True)
async def wait(ctx: RunContext, call: NodeCall) -> Any:
    """The event's payload, or how long was waited."""
    event = call.config.get("event")
    if event is not None:
        return await ctx.wait_event(f"{call.name}#event", str(event), call.config.get("timeout_s"))
    seconds: Any = call.config.get("seconds")
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not math.isfinite(seconds) or not 0 <= seconds <= MAX_WAIT_S:
        raise NodeFailed(f"The node waits for a number of seconds from 0 to a year, not {str(seconds)[:100]!r}.")
    await ctx.sleep(f"{call.name}#timer", seconds)
    return {"waited_s": seconds}


@node("subworkflow", takes_input=True, waits=True)
async def run_child(ctx: RunContext, call: NodeCall) -> Any:
    """The result of the child run; the child keeps the version that is current when it starts."""
    workflow_id, tenant_id = str(call.config["workflow_id"]), ctx.run.tenant_id

    def current() -> int | None:
        rows = Workflow.objects.for_tenant(tenant_id).filter(id=workflow_id)
        return rows.values_list("revision", flat=True).first()

    async def pin() -> int | None:
        return await ctx.shared((tenant_id, "workflow revision", workflow_id), current)

    revision = await ctx.step(f"{call.name}#version", pin, node_id=call.node_id, type="subworkflow", silent=True)
    if revision is None:
        raise NodeFailed(f"The workflow {workflow_id} does not exist any more.")
    child_input = call.input if isinstance(call.input, dict) else {"input": call.input}
    if f"{call.name}#child" not in ctx.run.steps:
        schema = await ctx.shared(
            (tenant_id, "input schema", workflow_id), partial(input_schema_of, tenant_id, workflow_id)
        )
        child_input = fitted_input(schema, child_input, "input.")
    return await ctx.child(
        f"{call.name}#child",
        kind="workflow",
        subject_id=workflow_id,
        subject_version=revision,
        input=child_input,
        mode=ctx.run.mode,
    )


def input_schema_of(tenant_id: str, workflow_id: str) -> Schema | None:
    """The schema that the workflow's input must fit, if it has one."""
    rows = Workflow.objects.for_tenant(tenant_id).filter(id=workflow_id)
    return rows.values_list("input_schema", flat=True).first()


async def run_node(ctx: RunContext, node: Node, call: NodeCall) -> Any:
    """The recorded output of one visit of a node that is registered by its type."""
    kind = NODES.get(node.type)
    if kind is None:
        raise NodeFailed(f"Nobody here runs nodes of the type {node.type!r}.")
    if kind.waits and (node.retry or node.timeout_s):
        return await _run_waiting(ctx, node, kind, call)
    work = partial(_visit, kind) if kind.schema or isinstance(call.config.get("prompt"), str) else kind.run
    return await ctx.step(
        call.name, work, ctx, call,
        node_id=call.node_id, type=node.type, input=call.input,
        retry=node.retry, timeout_s=node.timeout_s, pure=kind.pure, notes=notes(call.empty),
    )  # fmt: skip


def notes(empty: list[str]) -> dict[str, Any] | None:
    """What the step's start says of references that led nowhere."""
    return {"empty_references": empty} if empty else None


async def _visit(kind: NodeKind, ctx: RunContext, call: NodeCall) -> Any:
    """The node's output. Its prompt's template is filled in, and its config checked against its type's schema, within
    the step: what is wrong with them fails it.
    """
    config = call.config
    if isinstance(config.get("prompt"), str):
        config = {**config, "prompt": templates.render(config["prompt"], call.scope)}
    if kind.schema:
        config = validate_input(kind.schema, config)
    return await kind.run(ctx, replace(call, config=config))


async def _run_waiting(ctx: RunContext, node: Node, kind: NodeKind, call: NodeCall) -> Any:
    """The output of a node that waits, in at most so many tries, each with a deadline that is recorded.

    What it waits for is recorded inside its step, by name: another try needs other names, and a timeout that goes on
    counting while the run is put down.
    """

    async def tries() -> Any:
        retry = node.retry or ONCE
        for attempt in range(1, retry.max_attempts + 1):
            own = call if attempt == 1 else replace(call, name=f"{call.name}#try{attempt}")
            try:
                return await _in_time(ctx, node, kind, own)
            except StepFailed as fault:
                if attempt == retry.max_attempts:
                    raise
                await _pause(ctx, own, retry, attempt, fault)

    return await ctx.step(
        call.name, tries, node_id=call.node_id, type=node.type, input=call.input, notes=notes(call.empty)
    )


async def _in_time(ctx: RunContext, node: Node, kind: NodeKind, call: NodeCall) -> Any:
    if not node.timeout_s:
        return await kind.run(ctx, call)
    began = await ctx.step(
        f"{call.name}#began", time.time, node_id=call.node_id, type=node.type, pure=True, silent=True
    )
    try:
        async with asyncio.timeout(began + node.timeout_s - time.time()):
            return await kind.run(ctx, call)
    except TimeoutError:
        raise StepFailed(call.name, f"The step took longer than {node.timeout_s:g} s.", "TimeoutError") from None


async def _pause(ctx: RunContext, call: NodeCall, retry: Retry, attempt: int, fault: StepFailed) -> None:
    """Wait before the next try, and tell of it once."""
    payload = {"node_id": call.node_id, "node_type": call.type, "error": fault.error, "error_type": fault.error_type}

    def record_delay() -> float:
        delay = retry.delay(attempt, fault)
        ctx.emit("step_retried", payload | {"tries": attempt, "delay_s": round(delay, 3)}, call.name)
        return delay

    delay = await ctx.step(
        f"{call.name}#again", record_delay, node_id=call.node_id, type=call.type, pure=True, silent=True
    )
    await ctx.sleep(f"{call.name}#pause", delay)


async def run_map(ctx: RunContext, node: Node, name: str, config: dict[str, Any], scope: dict[str, Any]) -> list[Any]:
    """The recorded list of what the inner node answers for each item, in the order of the items."""
    items = config.get("items")

    async def each() -> list[Any]:
        if not isinstance(items, list) or len(items) > MAX_ITEMS:
            actual = f"a list of {len(items):,} items" if isinstance(items, list) else type(items).__name__
            raise NodeFailed(f"The map's items must be a list of at most {MAX_ITEMS:,}, not {actual}.")
        return await _for_each(ctx, node, name, items, scope)

    empty = notes(node.empty_references(scope))
    return await ctx.step(name, each, node_id=node.id, type="map", timeout_s=node.timeout_s, notes=empty)


async def _for_each(ctx: RunContext, node: Node, name: str, items: list[Any], scope: dict[str, Any]) -> list[Any]:
    assert node.inner is not None
    inner = replace(node.inner, retry=node.inner.retry or node.retry)
    answers: list[Any] = [None] * len(items)
    waiting = iter(enumerate(items))

    async def work() -> None:
        for at, item in waiting:
            own = {**scope, "item": item}
            config = inner.resolve(own) if inner.resolve else inner.config
            item_input = config.get("input", item) if inner.takes_input else None
            place = f"{name}[{at}]"
            call = NodeCall(place, f"{node.id}[{at}]", inner.type, config, item_input, own, inner.empty_references(own))
            answers[at] = await run_node(ctx, inner, call)

    most = node.config.get("max_parallel") or MAP_PARALLEL
    await ctx.gather(*(work() for _ in range(min(most, len(items)))))
    return answers
