"""The graphs that this process has in hand: a version never changes, so each is read and parsed once and then kept."""

from collections import OrderedDict
from typing import Any

from config.errors import NotFound
from orchestration.models import WorkflowVersion
from orchestration.program.context import RunContext
from orchestration.workflows.definition.graph import Graph
from orchestration.workflows.definition.parser import read_graph

MAX_NODES = 20_000  # over all graphs that are kept
Key = tuple[str, str, int | None]


class GraphCache:
    """The graphs used last, as many as have MAX_NODES nodes together."""

    def __init__(self) -> None:
        self.graphs: OrderedDict[Key, Graph] = OrderedDict()
        self.nodes = 0

    def get(self, key: Key) -> Graph | None:
        """The graph, if it is here."""
        graph = self.graphs.get(key)
        if graph is not None:
            self.graphs.move_to_end(key)
        return graph

    def add(self, key: Key, graph: Graph) -> None:
        """Keep the graph, and let go of those that were not used for longest."""
        if key in self.graphs:
            return
        self.graphs[key] = graph
        self.nodes += len(graph.nodes)
        while self.nodes > MAX_NODES and len(self.graphs) > 1:
            self.nodes -= len(self.graphs.popitem(last=False)[1].nodes)


CACHE = GraphCache()


async def load(ctx: RunContext) -> Graph:
    """The graph of the version that the run is pinned to."""
    key = (ctx.run.tenant_id, ctx.run.subject_id, ctx.run.subject_version)
    graph = CACHE.get(key)
    if graph is None:
        graph = await ctx.shared((ctx.run.tenant_id, "workflow", *key[1:]), lambda: _read(*key))
        CACHE.add(key, graph)
    return graph


def _read(tenant_id: str, workflow_id: str, revision: int | None) -> Graph:
    versions: Any = WorkflowVersion.objects.for_tenant(tenant_id)
    version = versions.filter(workflow_id=workflow_id, revision=revision).first()
    if version is None:
        raise NotFound(f"The workflow {workflow_id} has no version {revision}.")
    return read_graph(version.definition, version.type)
