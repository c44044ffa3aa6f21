"""What the config of each node type must hold (RULINGS §6); each check tells its Place what is wrong."""

from collections.abc import Callable
from typing import Any

from accounts.models import Role
from config.values.json_schema import errors_of
from governance.conditions import lookup, path_parts
from orchestration.program.registry import NODES
from orchestration.workflows.definition.graph import Route
from orchestration.workflows.definition.problems import Place, value_text
from orchestration.workflows.expressions.edge_conditions import InvalidExpression, read_condition
from orchestration.workflows.expressions.references import UnknownStep, split_text

YEAR_S = 366 * 24 * 3600.0
MAX_PARALLEL = 100
MAX_EVENT_LENGTH = 200  # characters of an event's name
MAX_ROUTES = 100
IN_A_MAP = ("static", "transform", "agent", "tool", "subworkflow", "wait", "human_gate")
ROLES = {"viewer": Role.USER, **{role.value: role for role in Role}}
Config = dict[str, Any]


def _output(config: Config, place: Place) -> None:
    if "output" not in config:
        place.add("config.output", "output is missing; say what the node answers")


def _agent(config: Config, place: Place) -> None:
    place.text(config, "agent_id", "config.agent_id")
    prompt = config.get("prompt")
    if prompt is not None and not isinstance(prompt, str):
        place.add("config.prompt", "prompt must be a text")


def _tool(config: Config, place: Place) -> None:
    place.text(config, "tool_id", "config.tool_id")
    node_input = config.get("input", {})
    if not isinstance(node_input, dict) and not (isinstance(node_input, str) and node_input.startswith("$")):
        place.add("config.input", "input must be an object, or a reference such as $steps.fetch")


def _router(config: Config, place: Place) -> None:
    place.text(config, "router_agent_id", "config.router_agent_id", required=False)
    read_routes(config, place)


def read_routes(config: Config, place: Place) -> list[Route]:
    """The routes of a router's config; those that are wrong are reported and left out."""
    routes = config.get("routes", [])
    if not isinstance(routes, list) or len(routes) > MAX_ROUTES:
        place.add("config.routes", f"routes must be a list of at most {MAX_ROUTES} {{id, target_node}}")
        return []
    by_id: dict[str, Route] = {}
    for at, route in enumerate(routes):
        path = f"config.routes[{at}]"
        if not isinstance(route, dict):
            place.add(path, f"a route must be an object {{id, target_node}}, not {value_text(route)}")
            continue
        name = place.text(route, "id", f"{path}.id")
        target = place.node_id(route.get("target_node"), f"{path}.target_node")
        if name in by_id:
            place.add(f"{path}.id", f"the route {value_text(name)} is there twice")
        condition = _route_condition(route, place, path)
        if name and target:
            description = route.get("description") or route.get("label") or ""
            by_id[name] = Route(name, target, condition, description if isinstance(description, str) else "")
    return list(by_id.values())


def _route_condition(route: Config, place: Place, path: str) -> Any:
    condition = route.get("condition")
    if condition in (None, ""):
        return None
    if not isinstance(condition, str):
        place.add(f"{path}.condition", "the condition must be a text")
        return None
    try:
        return read_condition(condition, place.ids)
    except InvalidExpression as fault:
        place.add(f"{path}.condition", f"the condition {value_text(condition)} {fault.message}")
        return None


def _human_gate(config: Config, place: Place) -> None:
    if not isinstance(config.get("message", ""), str):
        place.add("config.message", "message must be a text")
    role = config.get("role")
    if role is not None and (not isinstance(role, str) or role not in ROLES):
        place.add("config.role", f"role must be one of {', '.join(ROLES)}, not {value_text(role)}")
    place.number(config, "expires_s", "config.expires_s", 0, YEAR_S, above=True)


def _parallel(config: Config, place: Place) -> None:
    branches = config.get("branches")
    if branches is None:
        return
    if not isinstance(branches, list):
        place.add("config.branches", "branches must be a list of node ids")
        return
    for at, target in enumerate(branches):
        place.node_id(target, f"config.branches[{at}]")


def _map(config: Config, place: Place) -> None:
    items = config.get("items")
    if items is None:
        place.add("config.items", "items is missing; name a list, such as $input.words")
    elif not isinstance(items, str | list):
        place.add(
            "config.items", f"items must be a list, or a reference to one such as $input.words, not {value_text(items)}"
        )
    elif isinstance(items, str) and not _is_reference(items, place):
        place.add("config.items", f"items must be a reference to a list such as $input.words, not {value_text(items)}")
    place.number(config, "max_parallel", "config.max_parallel", 1, MAX_PARALLEL, whole=True)
    node = config.get("node")
    kind = node_type(node.get("type")) if isinstance(node, dict) else None
    if not isinstance(node, dict) or not has_config(node):
        place.add("config.node", "node must be an object {type, config}: what is done with each item")
    elif kind not in (types := types_in_map()):
        place.add(
            "config.node.type", f"a map's node must be one of {', '.join(types)}, not {value_text(node.get('type'))}"
        )
    else:
        inner = Place(place.problems, f"{place.path}.config.node", place.label, place.ids)
        check_config(kind, with_output(node), inner)


def items_reference(items: str) -> str:
    """The reference that a map's items are: the $ may be left out."""
    return items if items.startswith("$") else f"${items}"


def _is_reference(items: str, place: Place) -> bool:
    try:
        parts = split_text(items_reference(items), place.ids)
    except UnknownStep:
        return True  # of a step that is not there: reported where the config is filled in
    return len(parts) == 1 and not isinstance(parts[0], str)


def _wait(config: Config, place: Place) -> None:
    seconds, event = config.get("seconds"), config.get("event")
    if (seconds is None) == (event is None):
        place.add("config", "a wait has either seconds or an event")
    if not (isinstance(seconds, str) and seconds.startswith("$")):
        place.number(config, "seconds", "config.seconds", 0, YEAR_S)
    if event is not None:
        place.text(config, "event", "config.event", most=MAX_EVENT_LENGTH)
    place.number(config, "timeout_s", "config.timeout_s", 0, YEAR_S, above=True)


def _subworkflow(config: Config, place: Place) -> None:
    place.text(config, "workflow_id", "config.workflow_id", most=64)


def node_type(spelling: Any) -> str:
    """The type's plain name: `tool_node` means `tool`; empty when it is no text."""
    return spelling.removesuffix("_node") if isinstance(spelling, str) else ""


def has_config(node: dict[str, Any]) -> bool:
    """Whether the node's config can be read; it may be missing."""
    return isinstance(node.get("config"), dict | None)


def with_output(node: dict[str, Any]) -> Config:
    """The node's config; a static output or value may also stand beside it, or be called value."""
    config = node.get("config") or {}
    if node_type(node.get("type")) not in ("static", "transform") or "output" in config:
        return config
    for fields, name in ((config, "value"), (node, "output"), (node, "value")):
        if name in fields:
            return {**config, "output": fields[name]}
    return config


CHECKS: dict[str, Callable[[Config, Place], None]] = {
    "static": lambda config, place: None,
    "transform": _output,
    "agent": _agent,
    "tool": _tool,
    "router": _router,
    "human_gate": _human_gate,
    "parallel": _parallel,
    "map": _map,
    "wait": _wait,
    "subworkflow": _subworkflow,
}


def node_types() -> list[str]:
    """The types that a node may have: the built-in ones, then those of plug-ins."""
    return [*CHECKS, *(type for type in NODES if type not in CHECKS)]


def types_in_map() -> list[str]:
    """Those of them that a map may run for each item."""
    return [type for type in node_types() if type in IN_A_MAP or type not in CHECKS]


def check_config(type: str, config: Config, place: Place) -> None:
    """Tell the place what is wrong with the config of a node of this known type."""
    if type in CHECKS:
        CHECKS[type](config, place)
    elif (schema := NODES[type].schema) is not None:
        for field, sentences in errors_of(schema, config).items():
            value = lookup(config, path_parts(field))
            if not (isinstance(value, str) and value.startswith("$")):  # only a run knows a reference's value
                place.add(f"config.{field}", f"{field}: {' '.join(sentences)}")
