"""One node and one edge of a definition, read from their JSON."""

import re
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from orchestration.program.registry import NODES
from orchestration.program.retry import Retry
from orchestration.workflows.definition.configs import (
    YEAR_S,
    check_config,
    has_config,
    items_reference,
    node_type,
    node_types,
    read_routes,
    with_output,
)
from orchestration.workflows.definition.graph import Edge, Node
from orchestration.workflows.definition.problems import Place, Problems, value_text
from orchestration.workflows.expressions import templates
from orchestration.workflows.expressions.edge_conditions import InvalidExpression, read_condition
from orchestration.workflows.expressions.references import (
    Reference,
    Resolver,
    UnknownStep,
    compile_value,
    references_in,
)

MAX_ATTEMPTS = 20
MAX_NAME_LENGTH = 200
# Step names use these for visits (a#2), branches (fan/0/a) and items (each[0]); in an id they are escaped.
_SPECIAL = re.compile(r"[#/\[\]%]")
_STRUCTURE = {"prompt", "node", "routes", "branches"}  # parts of a config that are not filled in as a whole


def read_edge(raw: Any, place: Place) -> tuple[str, Edge] | None:
    """(node that it leaves, edge), None when it is too wrong to judge."""
    if not isinstance(raw, dict):
        place.add("", f"an edge must be an object {{from, to}}, not {value_text(raw)}")
        return None
    source, target = (place.node_id(raw.get(end), end) for end in ("from", "to"))
    if not source or not target:
        return None
    condition = raw.get("condition")
    if condition is None or condition == "":
        return source, Edge(target)
    if not isinstance(condition, str):
        place.add(
            "condition", f"the condition from {source!r} to {target!r} must be a text, not {value_text(condition)}"
        )
        return None
    try:
        expression = read_condition(condition, place.ids)
    except InvalidExpression as fault:
        place.add("condition", f"the condition {value_text(condition)} from {source!r} to {target!r} {fault.message}")
        return None
    return source, Edge(target, expression, "" if expression else condition)


def read_node(raw: dict[str, Any], node_id: str, place: Place, edges: list[Edge]) -> Node:
    """The node; what is wrong with it is added to the place."""
    kind = node_type(raw.get("type"))
    on_error, goto = _on_error(raw, place)
    if kind not in (types := node_types()):
        place.add("type", f"the type {value_text(raw.get('type'))} is unknown; use one of {', '.join(types)}")
        return Node(node_id, node_id, kind, {}, edges=tuple(edges), on_error=on_error, goto=goto)  # type: ignore[arg-type]
    if not has_config(raw):
        place.add("config", f"config must be an object, not {value_text(raw['config'])}")
        return Node(node_id, node_id, kind, {}, edges=tuple(edges))
    config = with_output(raw)
    check_config(kind, config, place)
    silent = Place(Problems(), "", "", place.ids)
    return Node(
        id=node_id,
        name=step_name(node_id),
        type=kind,
        edges=tuple(_with_branches(edges, config, place) if kind == "parallel" else edges),
        routes=tuple(read_routes(config, silent)) if kind == "router" else (),
        retry=_retry(raw, place),
        timeout_s=place.number(raw, "timeout_s", "timeout_s", 0, YEAR_S, above=True),
        on_error=on_error,  # type: ignore[arg-type]
        goto=goto,
        inner=_inner(config, place) if kind == "map" else None,
        **_resolution(kind, config, place),
    )


def _resolution(kind: str, config: dict[str, Any], place: Place) -> dict[str, Any]:
    """The fields of a node that say how its config is filled in."""
    resolve: Resolver | None = None
    references: tuple[Reference, ...] = ()
    if kind == "map" and isinstance(config.get("items"), str):
        config = {**config, "items": items_reference(config["items"])}
    try:
        moving = {key: value for key, value in config.items() if key not in _STRUCTURE}
        resolve = compile_value(moving, place.ids)
        references = references_in(moving, place.ids) if resolve else ()
        structure = {key: value for key, value in config.items() if key in _STRUCTURE}
        if isinstance(config.get("prompt"), str):
            structure["prompt"], names = templates.as_template(config["prompt"], place.ids)
            references += names
            if fault := templates.check(structure["prompt"]):
                place.add("config.prompt", f"the prompt's template {fault}")
        config = moving | structure
        if resolve and structure:
            resolve = _beside(resolve, structure)
    except UnknownStep as fault:
        place.add("config", f"it {fault.message}")
    return {
        "config": config,
        "resolve": resolve,
        "references": references,
        "takes_input": kind in NODES and NODES[kind].takes_input,
    }


def _beside(resolve: Resolver, structure: dict[str, Any]) -> Resolver:
    return lambda scope: {**resolve(scope), **structure}


def _inner(config: dict[str, Any], place: Place) -> Node | None:
    """The node that a map runs for each item."""
    raw = config.get("node")
    if not isinstance(raw, dict) or not has_config(raw):
        return None
    kind = node_type(raw.get("type"))
    inner = Place(place.problems, f"{place.path}.config.node", place.label, place.ids)
    retry, timeout_s = _retry(raw, inner), inner.number(raw, "timeout_s", "timeout_s", 0, YEAR_S, above=True)
    return Node("", "", kind, retry=retry, timeout_s=timeout_s, **_resolution(kind, with_output(raw), inner))


def _with_branches(edges: list[Edge], config: dict[str, Any], place: Place) -> list[Edge]:
    """The outgoing edges; a branch that has none counts as one."""
    branches = config.get("branches")
    names = (
        [name for name in branches if isinstance(name, str) and name in place.ids] if isinstance(branches, list) else []
    )
    there = {edge.target for edge in edges}
    return [*edges, *(Edge(name) for name in dict.fromkeys(names) if name not in there)]


def _retry(raw: dict[str, Any], place: Place) -> Retry | None:
    retry = raw.get("retry")
    if retry is None:
        return None
    if not isinstance(retry, dict):
        place.add("retry", f"retry must be an object {{max_attempts, backoff_s}}, not {value_text(retry)}")
        return None
    attempts = place.number(retry, "max_attempts", "retry.max_attempts", 1, MAX_ATTEMPTS, whole=True)
    backoff = place.number(retry, "backoff_s", "retry.backoff_s", 0, 3600)
    return Retry(int(attempts or 1), 1.0 if backoff is None else float(backoff))


def _on_error(raw: dict[str, Any], place: Place) -> tuple[str, str]:
    """(fail, continue or goto; the node to go to)."""
    value = raw.get("on_error")
    if value is None or (isinstance(value, str) and value in ("fail", "continue")):
        return value or "fail", ""
    if isinstance(value, dict) and set(value) == {"goto"}:
        return "goto", place.node_id(value["goto"], "on_error.goto")
    place.add("on_error", f"on_error must be fail, continue or {{goto: node}}, not {value_text(value)}")
    return "fail", ""


def step_name(node_id: str) -> str:
    """The node's id as it stands in step names; two ids never give the same."""
    if not _SPECIAL.search(node_id):
        return node_id
    quoted_id = _SPECIAL.sub(lambda match: quote(match[0], safe=""), node_id)
    return quoted_id if len(quoted_id) <= MAX_NAME_LENGTH else "%" + sha256(node_id.encode()).hexdigest()
