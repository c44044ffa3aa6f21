"""Which way a run goes on: conditions that are expressions, questions that an agent answers, and routers."""

import re
from collections.abc import Sequence
from typing import Any

from config.values.foreign_json import write_json
from orchestration.program import registry
from orchestration.program.context import RunContext
from orchestration.program.retry import StepFailed
from orchestration.workflows.definition.graph import Edge, Node, Route

EVALUATOR = "agent.condition_evaluator"
ROUTER = "agent.router"
MAX_CONTEXT_LENGTH = 20_000  # characters of an output that an agent is shown

_JUDGE = """\
Which of these conditions is true? Judge by the output below and nothing else.
Answer with one number and no other word: that of the first condition that is true, or 0 when none is.

Conditions:
{conditions}

Output:
{output}"""
_CHOOSE = """\
Choose the route that fits best. Answer with the id of one route and no other word.

Routes:
{routes}

What has to be routed:
{output}"""


async def first_true(ctx: RunContext, name: str, node: Node, scope: dict[str, Any]) -> str:
    """The target of the first true edge, else of the unconditional one, else an empty text: the run ends there."""
    edges = node.edges
    if len(edges) == 1 and edges[0].unconditional:
        return edges[0].target
    true_edge = next((edge for edge in edges if edge.condition and edge.condition.holds(scope)), None)
    before = edges[: edges.index(true_edge)] if true_edge else edges
    questions = [edge for edge in before if edge.question]
    judged_edge = await _judge(ctx, f"{name}#edges", questions, scope) if questions else None
    default = next((edge for edge in edges if edge.unconditional), None)
    edge = judged_edge or true_edge or default
    return edge.target if edge else ""


async def choose_branches(ctx: RunContext, name: str, node: Node, scope: dict[str, Any]) -> dict[str, Any]:
    """A parallel node's output {branches}: the targets of all edges that are true or unconditional, each once."""
    targets: dict[str, None] = {}
    for at, edge in enumerate(node.edges):
        if edge.question:
            true = await _judge(ctx, f"{name}#edge{at}", [edge], scope) is not None
        else:
            true = edge.condition is None or edge.condition.holds(scope)
        if true:
            targets[edge.target] = None
    return {"branches": list(targets)}


async def _judge(ctx: RunContext, name: str, edges: Sequence[Edge], scope: dict[str, Any]) -> Edge | None:
    """The edge whose question the evaluator agent says yes to first."""
    conditions = "\n".join(f"{number}. {edge.question}" for number, edge in enumerate(edges, start=1))
    reply = await registry.ask(
        ctx, name, EVALUATOR, _JUDGE.format(conditions=conditions, output=as_prompt_text(scope["output"]))
    )
    number = re.search(r"\d+", reply)
    choice = int(number[0]) if number and len(number[0]) < 6 else 0
    return edges[choice - 1] if 1 <= choice <= len(edges) else None


async def choose_route(ctx: RunContext, name: str, node: Node, scope: dict[str, Any]) -> dict[str, Any]:
    """The router's output {route, target_node, decided_by}: a true condition, else the agent's choice, else the first.

    A router without routes takes its first edge.
    """
    if not node.routes:
        return {"route": None, "target_node": node.edges[0].target if node.edges else "", "decided_by": "edge"}
    agent_id = node.config.get("router_agent_id") or ROUTER
    route = next((r for r in node.routes if r.condition and r.condition.holds(scope)), None)
    decided_by = "condition"
    if route is None:
        route, decided_by = await _ask_router(ctx, name, agent_id, node.routes, scope), "agent"
    if route is None:
        route, decided_by = node.routes[0], "default"
    decision = {"route": route.id, "target_node": route.target, "decided_by": decided_by}
    header = {"type": "router_decision", "node_id": node.id, "agent_id": agent_id}
    ctx.emit("policy_eval", header | decision | {"routes": [route.id for route in node.routes]}, name)
    return decision


async def _ask_router(
    ctx: RunContext, name: str, agent_id: str, routes: Sequence[Route], scope: dict[str, Any]
) -> Route | None:
    lines = "\n".join(f"- {route.id}" + (f": {route.description}" if route.description else "") for route in routes)
    message = _CHOOSE.format(routes=lines, output=as_prompt_text(scope["output"]))
    try:
        reply = await registry.ask(ctx, f"{name}#route", agent_id, message)
    except StepFailed:  # an agent that cannot answer must not stop the run: the first route is the default
        return None
    return match_route(reply, routes)


def match_route(reply: str, routes: Sequence[Route]) -> Route | None:
    """The route that a reply means: equal to its id, or naming it (the longest first), or quoting a part of it."""
    reply = reply.strip()
    exact = next((route for route in routes if route.id.lower() == reply.lower()), None)
    if exact:
        return exact
    for route in sorted(routes, key=lambda route: -len(route.id)):
        if re.search(rf"(?<!\w){re.escape(route.id)}(?!\w)", reply, re.IGNORECASE):
            return route
    quotations = [text.lower() for text in re.findall(r"[\"'“”‘’`]([^\"'“”‘’`]{2,})[\"'“”‘’`]", reply)]
    return next((route for route in routes for text in quotations if text in route.id.lower()), None)


def as_prompt_text(output: Any) -> str:
    """An output as an agent reads it: a text verbatim, anything else as JSON; cut when it is very long."""
    text = output if isinstance(output, str) else write_json(output).decode()
    return text if len(text) <= MAX_CONTEXT_LENGTH else text[:MAX_CONTEXT_LENGTH] + " …"
