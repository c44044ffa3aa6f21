"""The program "workflow": walks the graph of the version that its run is pinned to, one recorded step per visit.

A replay walks the same way again: what decides the way is recorded, or computed from what is recorded. A branch of a
parallel node sees the steps before the fork and its own, so that its way never depends on another branch's speed.
"""

from functools import partial
from hashlib import sha256
from typing import Any

from config.errors import DomainError
from orchestration.program.context import RunContext
from orchestration.program.registry import NodeCall, program
from orchestration.program.retry import StepFailed
from orchestration.workflows import routing
from orchestration.workflows.builtin_nodes import run_map, run_node
from orchestration.workflows.definition import graph_cache as graphs
from orchestration.workflows.definition.forks import Branch, Fork
from orchestration.workflows.definition.graph import Graph, Node

MAX_PREFIX_LENGTH = 40
NO_STOPS: frozenset[str] = frozenset()
Scope = dict[str, Any]
Levels = tuple[tuple[frozenset[str], str], ...]  # of each fork around a node: the nodes that need its branch's prefix


class TooManySteps(DomainError):
    """The run went through more steps than its workflow allows."""

    code = "MAX_STEPS_EXCEEDED"


@program("workflow", subject="workflow")
async def run_workflow(ctx: RunContext) -> Any:
    """The output of the last node."""
    graph = await graphs.load(ctx)
    scope = _first_scope(ctx)
    await Walk(ctx, graph).follow(graph.entry, scope, NO_STOPS, ())
    return scope["output"]


def _first_scope(ctx: RunContext) -> Scope:
    """The names that references, conditions and templates know. What the engine knows wins over what the input says."""
    run = ctx.run
    source = run.trigger or (run.input if isinstance(run.input, dict) else {})
    context, event = source.get("context"), source.get("event")
    own_names = {
        "run_id": str(run.id),
        "workflow_id": run.subject_id,
        "tenant_id": run.tenant_id,
        "user_id": run.on_behalf_of or (str(run.created_by) if run.created_by else None),
        "app_id": run.app_id or None,
        "mode": run.mode,
    }
    return {
        "input": run.input,
        "steps": {},
        "context": {**context, **own_names} if isinstance(context, dict) else own_names,
        "event": event if isinstance(event, dict) else {},
        "output": run.input,
    }


class Walk:
    """One run on its way through a graph."""

    def __init__(self, ctx: RunContext, graph: Graph) -> None:
        self.ctx, self.graph = ctx, graph
        self.remaining_steps = graph.max_steps
        self.visits: dict[str, int] = {}

    async def follow(self, at: str, scope: Scope, stops: frozenset[str], levels: Levels) -> list[str]:
        """Visit node after node; the stops that were come to (where forks around this way meet), none at an end."""
        stops_reached: list[str] = []
        while at and at not in stops:
            node = self.graph.nodes[at]
            name = self._name(node, levels)
            failed, output = await self._visit(node, name, scope)
            scope["steps"][node.id] = scope["output"] = output
            if failed and node.on_error == "goto":
                at = node.goto
            elif node.type == "parallel" and not failed:
                at, stops_passed = await self._split(node, tuple(output["branches"]), scope, stops, levels)
                stops_reached += stops_passed
            elif node.type == "router" and not failed:
                at = output["target_node"]
            else:
                at = await routing.first_true(self.ctx, name, node, scope) if node.edges else ""
        return [*stops_reached, at] if at else stops_reached

    def _name(self, node: Node, levels: Levels) -> str:
        """The visit's step name: the node's, with its branch where several may come here, and #2 from the second on."""
        self.remaining_steps -= 1
        if self.remaining_steps < 0:
            most = self.graph.max_steps
            raise TooManySteps(
                f"The run passed max_steps ({most}): it goes round in circles, or needs a higher max_steps."
            )
        name = node.name
        if levels:
            prefix = "".join(prefix for shared, prefix in levels if node.id in shared)
            name = (
                prefix if len(prefix) <= MAX_PREFIX_LENGTH else sha256(prefix.encode()).hexdigest()[:32] + "/"
            ) + name
        count = self.visits[name] = self.visits.get(name, 0) + 1
        return name if count == 1 else f"{name}#{count}"

    async def _visit(self, node: Node, name: str, scope: Scope) -> tuple[bool, Any]:
        """(whether it failed and the run goes on all the same, the output)."""
        config = node.resolve(scope) if node.resolve else node.config
        try:
            return False, await self._step(node, name, config, scope)
        except StepFailed as fault:
            if node.on_error == "fail":
                raise
            return True, {"error": fault.error, "error_type": fault.error_type}

    async def _step(self, node: Node, name: str, config: dict[str, Any], scope: Scope) -> Any:
        """The recorded output of this visit."""
        if node.type == "router":
            return await self.ctx.step(
                name, routing.choose_route, self.ctx, name, node, scope,
                node_id=node.id, type="router", timeout_s=node.timeout_s, retry=node.retry,
            )  # fmt: skip
        if node.type == "parallel":
            asks = any(edge.question for edge in node.edges)
            return await self.ctx.step(
                name, routing.choose_branches, self.ctx, name, node, scope,
                node_id=node.id, type="parallel", timeout_s=node.timeout_s, retry=node.retry, pure=not asks,
            )  # fmt: skip
        if node.type == "map":
            return await run_map(self.ctx, node, name, config, scope)
        node_input = config.get("input", scope["input"]) if node.takes_input else None
        empty = node.empty_references(scope)
        return await run_node(self.ctx, node, NodeCall(name, node.id, node.type, config, node_input, scope, empty))

    async def _split(
        self, node: Node, targets: tuple[str, ...], scope: Scope, stops: frozenset[str], levels: Levels
    ) -> tuple[str, list[str]]:
        """(where the branches go on together, the outer stops that some of them came to)."""
        if len(targets) < 2:
            return targets[0] if targets else "", []
        fork = self.graph.known_fork(node, targets, stops)
        if fork is None:
            run = self.ctx.run
            key = (run.tenant_id, "fork", run.subject_id, run.subject_version, node.id, targets, stops)
            fork = await self.ctx.shared(key, partial(self.graph.fork, node, targets, stops))
        return await self._run_fork(fork, scope, stops, levels)

    async def _run_fork(self, fork: Fork, scope: Scope, stops: frozenset[str], levels: Levels) -> tuple[str, list[str]]:
        inside = stops | {fork.meeting} if fork.meeting else stops
        scopes = [{**scope, "steps": dict(scope["steps"])} for _ in fork.branches]
        ways = zip(fork.branches, scopes, strict=True)
        arrivals = await self.ctx.gather(*(self._run_branch(branch, own, inside, levels) for branch, own in ways))
        before = dict(scope["steps"])
        for own in scopes:
            new = {key: output for key, output in own["steps"].items() if before.get(key, before) is not output}
            scope["steps"].update(new)
            scope["output"] = own["output"]
        arrivals_by_stop = dict.fromkeys(stop for stops_of_one in arrivals for stop in stops_of_one)
        return (fork.meeting if fork.meeting in arrivals_by_stop else ""), [
            stop for stop in arrivals_by_stop if stop != fork.meeting
        ]

    async def _run_branch(self, branch: Branch, scope: Scope, stops: frozenset[str], levels: Levels) -> list[str]:
        if branch.prefix:
            levels = (*levels, (branch.shared, branch.prefix))
        if branch.fork is None:
            return await self.follow(branch.start, scope, stops, levels)
        at, stops_passed = await self._run_fork(branch.fork, scope, stops, levels)
        return stops_passed + (await self.follow(at, scope, stops, levels) if at else [])
