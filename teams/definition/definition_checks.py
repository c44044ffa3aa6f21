"""What a team's definition must satisfy; each sentence is filed under the place that it is about."""

from collections.abc import Iterator, Mapping
from typing import Any

from config.errors import Invalid
from governance.conditions import OPERATORS, value_fault
from teams.definition.plan import ROLES, SOURCES, TYPES, conditions_of

MAX_RETRIES, MAX_TIMEOUT_S, MAX_TURNS = 10, 24 * 3600, 100
NUMBERS = {  # name: (least, most, must it be whole)
    "max_attempts": (1, MAX_RETRIES, True),
    "max_retries": (0, MAX_RETRIES, True),
    "backoff_s": (0, 3600, False),
    "delay": (0, 3600, False),
    "retry_delay": (0, 3600, False),
}
PROFILE_NUMBERS = {"temperature": (0, 2, False), "max_tokens": (1, 1_000_000, True)}
Fault = tuple[str, str]  # (where, what is wrong)


def check_definition(definition: Any, agent_ids: list[str], where: str = "workflow_definition") -> None:
    """Invalid, naming everything that is wrong with it."""
    errors: dict[str, list[str]] = {}
    for place, sentence in _faults(definition, agent_ids):
        errors.setdefault(f"{where}{place}", []).append(sentence)
    if errors:
        raise Invalid(errors)


def _faults(definition: Any, agent_ids: list[str]) -> Iterator[Fault]:
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
    ids = [agent["agent_id"] for agent in agents]
    for at, agent in enumerate(agents):
        here = f".agents[{at}]"
        if agent["agent_id"] not in agent_ids:
            yield f"{here}.agent_id", f"The agent {agent['agent_id']!r} is not in agent_ids; add it there."
        if agent["agent_id"] in ids[:at]:
            yield f"{here}.agent_id", f"The agent {agent['agent_id']!r} is in the team twice."
        for place, sentence in _of_agent(agent, ids):
            yield f"{here}{place}", sentence
    if kind in TYPES:
        yield from _of_type(kind, agents)


def _of_agent(agent: Mapping[str, Any], ids: list[str]) -> Iterator[Fault]:
    if agent.get("role") not in (None, *ROLES):
        yield ".role", f"Must be one of {', '.join(ROLES)}."
    order = agent.get("execution_order")
    if order is not None and (not isinstance(order, int) or isinstance(order, bool)):
        yield ".execution_order", "Must be a whole number."
    if (timeout := agent.get("timeout")) is not None and (sentence := _number(timeout, 0.001, MAX_TIMEOUT_S, False)):
        yield ".timeout", sentence
    yield from _numbers(agent.get("retry_config"), NUMBERS, ".retry_config")
    yield from config_faults(agent.get("config"), ".config")
    yield from _of_source(agent.get("input"), ids, ".input", "source")
    yield from _of_conditions(agent.get("conditions"), ids)


def _of_source(source: Any, ids: list[str], where: str, key: str) -> Iterator[Fault]:
    if source is None:
        return
    if not isinstance(source, Mapping):
        yield where, "Must be an object: {source: initial_prompt | agent_result | combined | context_variable}."
        return
    kind = source.get(key)
    known = SOURCES if key == "source" else tuple(name for name in SOURCES if name != "combined")
    if kind not in known:
        yield f"{where}.{key}", f"Must be one of {', '.join(known)}."
    elif kind == "agent_result" and source.get("agent_id") not in ids:
        yield f"{where}.agent_id", f"Must be the id of another agent of the team, not {source.get('agent_id')!r}."
    elif kind == "context_variable" and not (isinstance(source.get("variable_name"), str) and source["variable_name"]):
        yield f"{where}.variable_name", "Must be the name of a variable of the execution's context."
    elif kind == "combined":
        parts = source.get("sources")
        if not isinstance(parts, list) or not parts:
            yield f"{where}.sources", "Must be an array of at least one source: {type: agent_result, agent_id}."
            return
        for at, part in enumerate(parts):
            yield from _of_source(part if part is not None else "", ids, f"{where}.sources[{at}]", "type")


def _of_conditions(given: Any, ids: list[str]) -> Iterator[Fault]:
    if given is not None and not isinstance(given, list | Mapping):
        yield ".conditions", "Must be {}, one condition, or an array of conditions."
        return
    for at, condition in enumerate(conditions_of(given)):
        here = f".conditions[{at}]" if isinstance(given, list) else ".conditions"
        if not isinstance(condition, Mapping):
            yield here, "Must be an object: {agent_id?, field, operator, value}."
            continue
        operator = condition.get("operator")
        if not isinstance(operator, str) or operator not in OPERATORS:
            yield f"{here}.operator", f"Must be one of {', '.join(OPERATORS)}."
        elif fault := value_fault(operator, condition.get("value")):
            yield f"{here}.value", f"{operator} {fault}."
        agent_id = condition.get("agent_id")
        if agent_id is not None and agent_id not in ids:
            yield f"{here}.agent_id", f"Must be the id of an agent of the team, not {agent_id!r}."
        path = condition.get("field")
        if not isinstance(path, str | None) or (agent_id is None and not path):
            yield f"{here}.field", "Must be the name of a field, with dots for what is inside, such as 'category'."


def _of_type(kind: str, agents: list[Mapping[str, Any]]) -> Iterator[Fault]:
    """What only this way of working together asks for."""
    if kind in ("sequential", "pipeline"):
        for at, agent in enumerate(agents):
            if agent.get("execution_order") is None:
                yield f".agents[{at}].execution_order", f"Is required in a {kind} team: it says whose turn it is."
    places = sorted(range(len(agents)), key=lambda at: (_order(agents[at]), at))
    if kind == "pipeline":
        for before, after in zip(places, places[1:], strict=False):
            given, wanted = _source(agents[after]), agents[before]["agent_id"]
            if given.get("source") != "agent_result" or given.get("agent_id") != wanted:
                yield f".agents[{after}].input", f"Must be the agent_result of {wanted!r}, who is before it."
    if kind == "parallel":
        for at in places:
            if _source(agents[at]).get("source") in ("agent_result", "combined"):
                yield f".agents[{at}].input", "Parallel agents begin at once: none can have another's result."
    if kind == "conditional":
        for at in places[1:]:
            if agents[at].get("conditions") is None:
                yield f".agents[{at}].conditions", "Is required for all but the first agent; {} holds always."
    if kind == "supervised" and len(agents) < 2:
        yield ".agents", "A supervised team has a coordinator and at least one more agent."


def _source(agent: Mapping[str, Any]) -> Mapping[str, Any]:
    given = agent.get("input")
    return given if isinstance(given, Mapping) else {}


def _order(agent: Mapping[str, Any]) -> int:
    order = agent.get("execution_order")
    return order if isinstance(order, int) else 0


def config_faults(config: Any, where: str) -> Iterator[Fault]:
    """What is wrong with the settings of a team, an agent or an execution: {model, temperature, max_tokens …}."""
    if config is None:
        return
    yield from _numbers(config, PROFILE_NUMBERS | {"max_turns": (1, MAX_TURNS, True)}, where)
    if isinstance(config, Mapping):
        for name in ("model", "provider"):
            if not isinstance(config.get(name, ""), str):
                yield f"{where}.{name}", "Must be a text."
        if not isinstance(config.get("summarize", False), bool):
            yield f"{where}.summarize", "Must be true or false."


def _numbers(given: Any, known: Mapping[str, tuple[float, float, bool]], where: str) -> Iterator[Fault]:
    if given is None:
        return
    if not isinstance(given, Mapping):
        yield where, "Must be an object."
        return
    for name, (least, most, whole) in known.items():
        if given.get(name) is not None and (sentence := _number(given[name], least, most, whole)):
            yield f"{where}.{name}", sentence


def _number(value: Any, least: float, most: float, whole: bool) -> str:
    """What is wrong with it; "" when nothing is."""
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
        return f"Must be a {'whole number' if whole else 'number'} from {least:g} to {most:g}."
    return ""
