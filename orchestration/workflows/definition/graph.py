"""A workflow as the engine walks it: checked nodes and edges, made once per version from the definition's JSON."""

from dataclasses import dataclass, field
from typing import Any, Literal

from orchestration.program.retry import Retry
from orchestration.workflows.definition.forks import Fork, Layout
from orchestration.workflows.expressions.edge_conditions import Expression
from orchestration.workflows.expressions.references import Reference, Resolver

MAX_FORKS = 64  # plans that a graph keeps; a fan with many conditions has many ways to split


@dataclass(frozen=True, slots=True)
class Edge:
    """A way out of a node: `condition` decides it, else `question` is put to an agent, else it is unconditional."""

    target: str
    condition: Expression | None = None
    question: str = ""

    @property
    def unconditional(self) -> bool:
        """It is taken when no other edge is true."""
        return self.condition is None and not self.question


@dataclass(frozen=True, slots=True)
class Route:
    """One choice of a router."""

    id: str
    target: str
    condition: Expression | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """One node. `name` is its id with the characters escaped that step names use for other things."""

    id: str
    name: str
    type: str
    config: dict[str, Any]
    resolve: Resolver | None = None  # fills in the config's references
    references: tuple[Reference, ...] = ()  # those of the config and of its prompt
    takes_input: bool = False  # its input is config.input, else the run's input
    edges: tuple[Edge, ...] = ()
    routes: tuple[Route, ...] = ()
    retry: Retry | None = None
    timeout_s: float | None = None
    on_error: Literal["fail", "continue", "goto"] = "fail"
    goto: str = ""
    inner: "Node | None" = None  # what a map does with each item

    def empty_references(self, scope: dict[str, Any]) -> list[str]:
        """Those of the config's references that lead nowhere, as they are written."""
        return [reference.text for reference in self.references if reference.is_empty(scope)]

    @property
    def ways(self) -> list[str]:
        """Where the node leads when nothing fails."""
        return [way.target for way in self.routes or self.edges]

    @property
    def all_ways(self) -> list[str]:
        """Where the node may lead."""
        return [*self.ways, self.goto] if self.goto else self.ways


@dataclass(slots=True)
class Graph:
    """The nodes by id, and where a run begins."""

    nodes: dict[str, Node]
    entry: str
    max_steps: int
    warnings: list[str] = field(default_factory=list)
    _layout: Layout | None = None
    _forks: dict[Any, Fork] = field(default_factory=dict)

    def known_fork(self, node: Node, targets: tuple[str, ...], stops: frozenset[str]) -> Fork | None:
        """The plan, when it was made before."""
        return self._forks.get((node.id, targets, stops))

    def fork(self, node: Node, targets: tuple[str, ...], stops: frozenset[str]) -> Fork:
        """How a parallel node's branches run, and where they meet. In a large graph this takes a while."""
        key = (node.id, targets, stops)
        plan = self._forks.get(key)
        if plan is None:
            if self._layout is None:
                self._layout = Layout(
                    {n.id: n.ways for n in self.nodes.values()}, {n.id: n.all_ways for n in self.nodes.values()}
                )
            plan = self._layout.fork(node.name, targets, stops)
            if len(self._forks) < MAX_FORKS:
                self._forks[key] = plan
        return plan
