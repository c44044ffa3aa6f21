"""Builders of workflow definitions for the tests."""

from typing import Any


def node(id: str, type: str = "static", **config: Any) -> dict[str, Any]:
    """A node."""
    return {"id": id, "type": type, "config": config}


def static(id: str, **output: Any) -> dict[str, Any]:
    """A static node with this output."""
    return node(id, output=output)


def edge(source: str, target: str, condition: str | None = None) -> dict[str, Any]:
    """An edge."""
    return {"from": source, "to": target} | ({"condition": condition} if condition else {})


def edges(*pairs: str) -> list[dict[str, Any]]:
    """Edges from texts such as "a>b"."""
    return [edge(*pair.split(">")) for pair in pairs]


def graph(*nodes: dict[str, Any], ways: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """A definition; without `ways` the nodes are chained in order."""
    chain = [edge(a["id"], b["id"]) for a, b in zip(nodes, nodes[1:], strict=False)]
    return {"nodes": list(nodes), "edges": chain if ways is None else ways, **more}
