"""The checks of one agent's place in a team's definition: role, order, input, conditions."""

from collections.abc import Iterator, Mapping

from config.values.json_types import Json
from governance.conditions import OPERATORS, value_fault
from teams.definition.config_checks import (
    RETRY_RANGES,
    TIMEOUT_RANGE,
    Fault,
    config_faults,
    number_fault,
    number_faults,
)
from teams.definition.plan import ROLES, SOURCES, condition_list

PART_SOURCES = tuple(name for name in SOURCES if name != "combined")


def agent_faults(agent: Mapping[str, Json], ids: list[str]) -> Iterator[Fault]:
    """What is wrong with the agent's place; `ids` are those of the team's agents."""
    if agent.get("role") not in (None, *ROLES):
        yield ".role", f"Must be one of {', '.join(ROLES)}."
    order = agent.get("execution_order")
    if order is not None and (not isinstance(order, int) or isinstance(order, bool)):
        yield ".execution_order", "Must be a whole number."
    if (timeout := agent.get("timeout")) is not None and (sentence := number_fault(timeout, TIMEOUT_RANGE)):
        yield ".timeout", sentence
    yield from number_faults(agent.get("retry_config"), RETRY_RANGES, ".retry_config")
    yield from config_faults(agent.get("config"), ".config")
    yield from _source_faults(agent.get("input"), ids, ".input", "source")
    yield from _condition_faults(agent.get("conditions"), ids)


def _source_faults(source: Json, ids: list[str], path: str, key: str) -> Iterator[Fault]:
    """`key` holds the source's kind: `source` of an input, `type` of a part of a combined one."""
    if source is None:
        return
    if not isinstance(source, Mapping):
        yield path, "Must be an object: {source: initial_prompt | agent_result | combined | context_variable}."
        return
    kind = source.get(key)
    kinds = SOURCES if key == "source" else PART_SOURCES
    if kind not in kinds:
        yield f"{path}.{key}", f"Must be one of {', '.join(kinds)}."
    elif kind == "agent_result" and source.get("agent_id") not in ids:
        yield f"{path}.agent_id", f"Must be the id of another agent of the team, not {source.get('agent_id')!r}."
    elif kind == "context_variable" and not (isinstance(source.get("variable_name"), str) and source["variable_name"]):
        yield f"{path}.variable_name", "Must be the name of a variable of the execution's context."
    elif kind == "combined":
        yield from _part_faults(source.get("sources"), ids, f"{path}.sources")


def _part_faults(parts: Json, ids: list[str], path: str) -> Iterator[Fault]:
    if not isinstance(parts, list) or not parts:
        yield path, "Must be an array of at least one source: {type: agent_result, agent_id}."
        return
    for at, part in enumerate(parts):
        yield from _source_faults(part if part is not None else "", ids, f"{path}[{at}]", "type")


def _condition_faults(conditions: Json, ids: list[str]) -> Iterator[Fault]:
    if conditions is not None and not isinstance(conditions, list | Mapping):
        yield ".conditions", "Must be {}, one condition, or an array of conditions."
        return
    for at, condition in enumerate(condition_list(conditions)):
        path = f".conditions[{at}]" if isinstance(conditions, list) else ".conditions"
        if not isinstance(condition, Mapping):
            yield path, "Must be an object: {agent_id?, field, operator, value}."
            continue
        operator = condition.get("operator")
        if not isinstance(operator, str) or operator not in OPERATORS:
            yield f"{path}.operator", f"Must be one of {', '.join(OPERATORS)}."
        elif fault := value_fault(operator, condition.get("value")):
            yield f"{path}.value", f"{operator} {fault}."
        agent_id = condition.get("agent_id")
        if agent_id is not None and agent_id not in ids:
            yield f"{path}.agent_id", f"Must be the id of an agent of the team, not {agent_id!r}."
        field = condition.get("field")
        if not isinstance(field, str | None) or (agent_id is None and not field):
            yield f"{path}.field", "Must be the name of a field, with dots for what is inside, such as 'category'."
