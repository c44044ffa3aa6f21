"""A workflow's definition (JSON) → the Graph that runs, or WorkflowInvalid with everything that is wrong with it."""

from collections import deque
from itertools import pairwise
from typing import Any
from uuid import UUID

from orchestration.models import Workflow, WorkflowType
from orchestration.program import registry
from orchestration.workflows.definition.graph import Edge, Graph, Node
from orchestration.workflows.definition.input_schema import check_input_schema
from orchestration.workflows.definition.nodes import read_edge, read_node
from orchestration.workflows.definition.problems import Place, Problems, value_text
from orchestration.workflows.expressions.reference_checks import check_references
from orchestration.workflows.expressions.storable_values import check_storable

MAX_NODES = 1_000
MAX_EDGES = 5_000
DEFAULT_MAX_STEPS = 50
MAX_STEPS = 10_000


def check_definition(definition: Any, type: str, tenant_id: str) -> Graph:
    """The graph of a definition that this tenant may save: also its agents, tools and workflows are there."""
    graph = read_graph(definition, type)
    problems = Problems()
    at = {node["id"]: place for place, node in enumerate(definition["nodes"])}
    for node in graph.nodes.values():
        path = f"definition.nodes[{at[node.id]}].config"
        _check_parts(node, Place(problems, path, f"Node {node.id!r}"), tenant_id)
        if node.inner:
            _check_parts(node.inner, Place(problems, f"{path}.node.config", f"Node {node.id!r}"), tenant_id)
    _check_subworkflows(graph, at, problems, tenant_id)
    check_references(definition, graph, problems)
    problems.raise_if_any()
    return graph


def _check_parts(node: Node, place: Place, tenant_id: str) -> None:
    """What the app that registered the node's type finds wrong with its config."""
    kind = registry.NODES.get(node.type)
    if kind and kind.check:
        for sentence in kind.check(node.config, tenant_id):
            place.add(f"{node.type}_id" if node.type in ("agent", "tool") else "", sentence)
    agent = registry.NODES.get("agent")
    router_agent = node.config.get("router_agent_id") if node.type == "router" else None
    if router_agent and agent and agent.check:
        for sentence in agent.check({"agent_id": router_agent}, tenant_id):
            place.add("router_agent_id", sentence)


def _check_subworkflows(graph: Graph, at: dict[str, int], problems: Problems, tenant_id: str) -> None:
    places_by_workflow: dict[str, list[tuple[str, str]]] = {}
    for node in graph.nodes.values():
        for part, tail in ((node, "config"), (node.inner, "config.node.config")):
            if part is not None and part.type == "subworkflow":
                path = f"definition.nodes[{at[node.id]}].{tail}.workflow_id"
                places_by_workflow.setdefault(part.config["workflow_id"], []).append((path, node.id))
    if not places_by_workflow:
        return
    workflow_ids = [workflow_id for name in places_by_workflow if (workflow_id := _uuid(name))]
    there = set(Workflow.objects.for_tenant(tenant_id).filter(id__in=workflow_ids).values_list("id", flat=True))
    for name, places in places_by_workflow.items():
        if _uuid(name) not in there:
            for path, node_id in places:
                problems.add(path, f"Node {node_id!r}: the workflow {value_text(name)} does not exist")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def read_graph(definition: Any, type: str = WorkflowType.GRAPH) -> Graph:
    """The definition's graph, checked by itself: shape, ids, edges, expressions, references, reachability."""
    problems = Problems()
    raw_nodes, edges = _parts(definition, problems)
    check_input_schema(definition, problems)
    ids = _ids(raw_nodes, problems)
    problems.raise_if_any()  # without its ids nothing else can be judged
    is_chain = not edges and type == WorkflowType.LINEAR
    ways = _chain(ids) if is_chain else _read_edges(edges, ids, problems)
    nodes = {}
    for at, (node_id, raw) in enumerate(zip(ids, raw_nodes, strict=True)):
        place = Place(problems, f"definition.nodes[{at}]", f"Node {node_id!r}", ids)
        nodes[node_id] = read_node(raw, node_id, place, ways.get(node_id, []))
    max_steps = _max_steps(definition, problems)
    entry = _entry(definition, nodes, problems)
    problems.raise_if_any()
    graph = Graph(nodes, entry, max_steps)
    _check_reachable(graph, list(ids), problems)
    problems.raise_if_any()
    graph.warnings = _warnings(graph)
    return graph


def _parts(definition: Any, problems: Problems) -> tuple[list[Any], list[Any]]:
    """The lists of nodes and edges."""
    if not isinstance(definition, dict):
        problems.stop("definition", "The definition must be an object {nodes, edges}.")
    check_storable(definition, problems)
    if "nodes" not in definition and ("agents" in definition or "steps" in definition):
        problems.stop(
            "definition", "The definition has no nodes; agents[] and steps[] definitions are not accepted here."
        )
    for name, most in (("nodes", MAX_NODES), ("edges", MAX_EDGES)):
        value = definition.get(name, [])
        if not isinstance(value, list):
            problems.stop(f"definition.{name}", f"{name} must be a list, not {value_text(value)}.")
        if len(value) > most:
            problems.stop(f"definition.{name}", f"A workflow has at most {most} {name}, this one {len(value)}.")
    if not definition.get("nodes"):
        problems.stop("definition.nodes", "A workflow needs at least one node.")
    return definition["nodes"], definition.get("edges", [])


def _ids(nodes: list[Any], problems: Problems) -> dict[str, None]:
    """The nodes' ids in order."""
    ids: dict[str, None] = {}
    for at, node in enumerate(nodes):
        if not isinstance(node, dict):
            problems.add(
                f"definition.nodes[{at}]", f"A node must be an object {{id, type, config}}, not {value_text(node)}."
            )
            continue
        node_id = Place(problems, f"definition.nodes[{at}]", f"Node {at + 1}").text(node, "id", "id", most=200)
        if node_id in ids:
            problems.add(
                f"definition.nodes[{at}].id", f"Two nodes have the id {value_text(node_id)}; ids must be unique."
            )
        if node_id:
            ids[node_id] = None
    return ids


def _chain(ids: dict[str, None]) -> dict[str, list[Edge]]:
    """A linear workflow without edges runs in the order of its list."""
    names = list(ids)
    return {name: [Edge(following)] for name, following in pairwise(names)}


def _read_edges(edges: list[Any], ids: dict[str, None], problems: Problems) -> dict[str, list[Edge]]:
    ways: dict[str, list[Edge]] = {}
    for at, raw in enumerate(edges):
        edge = read_edge(raw, Place(problems, f"definition.edges[{at}]", f"Edge {at + 1}", ids))
        if edge:
            ways.setdefault(edge[0], []).append(edge[1])
    return ways


def _max_steps(definition: dict[str, Any], problems: Problems) -> int:
    place = Place(problems, "definition", "The workflow")
    return int(place.number(definition, "max_steps", "max_steps", 1, MAX_STEPS, whole=True) or DEFAULT_MAX_STEPS)


def _entry(definition: dict[str, Any], nodes: dict[str, Node], problems: Problems) -> str:
    """The entry node: the named one, else the only one that nothing leads to, else the first."""
    entry = definition.get("entryNode")
    if entry is not None:
        return Place(problems, "definition", "entryNode", nodes).node_id(entry, "entryNode")
    by_edges = {edge.target for node in nodes.values() for edge in node.edges}
    by_any = {target for node in nodes.values() for target in node.all_ways} | by_edges
    for led_to in (by_edges, by_any):
        free = [node_id for node_id in nodes if node_id not in led_to]
        if len(free) == 1:
            return free[0]
    return next(iter(nodes))


def _check_reachable(graph: Graph, ids: list[str], problems: Problems) -> None:
    reachable, waiting = {graph.entry}, deque([graph.entry])
    while waiting:
        node = graph.nodes[waiting.popleft()]
        for target in (*node.all_ways, *(edge.target for edge in node.edges)):
            if target not in reachable:
                reachable.add(target)
                waiting.append(target)
    for at, node_id in enumerate(ids):
        if node_id not in reachable:
            sentence = f"Node {node_id!r} cannot be reached from the entry node {graph.entry!r}; add an edge to it."
            problems.add(f"definition.nodes[{at}]", sentence)


def _warnings(graph: Graph) -> list[str]:
    """Sentences about nodes that go round for ever, which only max_steps ends."""
    back: dict[str, list[str]] = {}
    ends = []
    for node in graph.nodes.values():
        for target in node.all_ways:
            back.setdefault(target, []).append(node.id)
        conditional = not node.routes and all(not edge.unconditional for edge in node.edges)
        if conditional or node.type == "human_gate":
            ends.append(node.id)
    leaving, waiting = set(ends), deque(ends)
    while waiting:
        for node_id in back.get(waiting.popleft(), ()):
            if node_id not in leaving:
                leaving.add(node_id)
                waiting.append(node_id)
    dead_ends = [node_id for node_id in graph.nodes if node_id not in leaving]
    if not dead_ends:
        return []
    names = ", ".join(map(repr, dead_ends[:10])) + (" …" if len(dead_ends) > 10 else "")
    return [f"From {names} no edge leads to an end: a run that comes there fails after {graph.max_steps} steps."]
