"""The checks of a team's definition; each sentence is filed under the path of the value that it is about."""

from collections.abc import Callable, Iterator, Mapping

from config.errors import Invalid
from config.values.json_types import Json
from teams.definition.agent_checks import agent_faults
from teams.definition.config_checks import Fault, config_faults
from teams.definition.plan import TYPES

Agents = list[Mapping[str, Json]]


def check_definition(definition: Json, agent_ids: list[str], path: str = "workflow_definition") -> None:
    """Invalid, naming everything that is wrong with the definition."""
    errors: dict[str, list[str]] = {}
    for suffix, sentence in _faults(definition, agent_ids):
        errors.setdefault(f"{path}{suffix}", []).append(sentence)
    if errors:
        raise Invalid(errors)


def _faults(definition: Json, agent_ids: list[str]) -> Iterator[Fault]:
    if not isinstance(definition, Mapping):
        yield "", "Must be an object: {type, agents}."
        return
    kind, agents = definition.get("type"), definition.get("agents")
    if kind not in TYPES:
        yield ".type", f"Must be one of {', '.join(TYPES)}."
    yield from config_faults(definition.get("config"), ".config")
    if not isinstance(agents, list) or not agents:
        yield ".agents", "Must be an array of at least one agent."
        return
    if not all(isinstance(agent, Mapping) and isinstance(agent.get("agent_id"), str) for agent in agents):
        yield ".agents", "Each must be an object with an agent_id, which is a text."
        return
    yield from _place_faults(agents, agent_ids)
    if kind in TYPES:
        yield from TYPE_CHECKS[kind](agents, _in_order(agents))


def _place_faults(agents: Agents, agent_ids: list[str]) -> Iterator[Fault]:
    ids = [agent["agent_id"] for agent in agents]
    for at, agent in enumerate(agents):
        path = f".agents[{at}]"
        if agent["agent_id"] not in agent_ids:
            yield f"{path}.agent_id", f"The agent {agent['agent_id']!r} is not in agent_ids; add it there."
        if agent["agent_id"] in ids[:at]:
            yield f"{path}.agent_id", f"The agent {agent['agent_id']!r} is in the team twice."
        for suffix, sentence in agent_faults(agent, ids):
            yield f"{path}{suffix}", sentence


def _sequential_faults(agents: Agents, _: list[int], kind: str = "sequential") -> Iterator[Fault]:
    for at, agent in enumerate(agents):
        if agent.get("execution_order") is None:
            yield f".agents[{at}].execution_order", f"Is required in a {kind} team: it says whose turn it is."


def _pipeline_faults(agents: Agents, order: list[int]) -> Iterator[Fault]:
    yield from _sequential_faults(agents, order, "pipeline")
    for before, after in zip(order, order[1:], strict=False):
        source, agent_id = _source(agents[after]), agents[before]["agent_id"]
        if source.get("source") != "agent_result" or source.get("agent_id") != agent_id:
            yield f".agents[{after}].input", f"Must be the agent_result of {agent_id!r}, who is before it."


def _parallel_faults(agents: Agents, order: list[int]) -> Iterator[Fault]:
    for at in order:
        if _source(agents[at]).get("source") in ("agent_result", "combined"):
            yield f".agents[{at}].input", "Parallel agents begin at once: none can have another's result."


def _conditional_faults(agents: Agents, order: list[int]) -> Iterator[Fault]:
    for at in order[1:]:
        if agents[at].get("conditions") is None:
            yield f".agents[{at}].conditions", "Is required for all but the first agent; {} holds always."


def _supervised_faults(agents: Agents, _: list[int]) -> Iterator[Fault]:
    if len(agents) < 2:
        yield ".agents", "A supervised team has a coordinator and at least one more agent."


# what one type of team alone requires: (agents, their indexes in the order of work) → faults
TYPE_CHECKS: dict[str, Callable[[Agents, list[int]], Iterator[Fault]]] = {
    "sequential": _sequential_faults,
    "pipeline": _pipeline_faults,
    "parallel": _parallel_faults,
    "conditional": _conditional_faults,
    "supervised": _supervised_faults,
}


def _in_order(agents: Agents) -> list[int]:
    """The indexes of the agents in the order of work."""
    return sorted(range(len(agents)), key=lambda at: (_order(agents[at]), at))


def _order(agent: Mapping[str, Json]) -> int:
    order = agent.get("execution_order")
    return order if isinstance(order, int) else 0


def _source(agent: Mapping[str, Json]) -> Mapping[str, Json]:
    source = agent.get("input")
    return source if isinstance(source, Mapping) else {}
