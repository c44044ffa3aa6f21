"""What an execution's agents work on: the prompt, the variables and the outputs so far; and its conditions."""

from collections.abc import Iterable, Mapping

from agents.workflow_nodes import as_text
from config.errors import DomainError
from config.values.json_types import Json, JsonObject
from governance.conditions import MISSING, compare, lookup, path_parts
from teams.definition.plan import Condition, Source


class InputMissing(DomainError):
    """An agent cannot begin: what it should work on is not there."""

    status, code = 400, "INPUT_MISSING"


def output_fields(output: Mapping[str, Json]) -> JsonObject:
    """What conditions may name of an agent's output: `result`, and the fields of its JSON answer."""
    return {"result": output.get("result")} | (output.get("data") or {})


class ExecutionContext:
    """The prompt, the variables, and the output of each agent that has completed, by the agent's id."""

    def __init__(self, prompt: str, variables: Mapping[str, Json]) -> None:
        self.prompt, self.variables = prompt, dict(variables)
        self.outputs: dict[str, JsonObject] = {}

    def values(self) -> JsonObject:
        """{initial_prompt, agent_<id>_result…, variables…}: what conditions name by path."""
        results = {f"agent_{agent_id}_result": output_fields(output) for agent_id, output in self.outputs.items()}
        return {**self.variables, "initial_prompt": self.prompt, **results}

    def fulfils(self, conditions: Iterable[Condition]) -> bool:
        """True when every condition holds now; for a missing value only `not_exists` does."""
        return all(compare(one.operator, self._value(one), one.value) for one in conditions)

    def _value(self, condition: Condition) -> Json:
        """The value that the condition compares; MISSING without one."""
        path = condition.field
        if condition.agent_id:
            output = self.outputs.get(condition.agent_id)
            return MISSING if output is None else lookup(output_fields(output), path_parts(path))
        values = self.values()
        for name in sorted(values, key=len, reverse=True):  # ids of agents, and so such names, may have dots
            if path == name or path.startswith(f"{name}."):
                return lookup(values[name], path_parts(path[len(name) + 1 :]))
        return MISSING

    def message(self, source: Source) -> str:
        """The text of a source; InputMissing when there is none."""
        text = self._text(source)
        if text is None:
            raise InputMissing(_missing_sentence(source))
        return text

    def _text(self, source: Source) -> str | None:
        if source.kind == "initial_prompt":
            return self.prompt
        if source.kind == "agent_result":
            output = self.outputs.get(source.agent_id)
            return None if output is None else as_text(output.get("result"))
        if source.kind == "context_variable":
            value = self.variables.get(source.variable_name)
            return None if value is None else as_text(value)
        texts = [self._text(part) for part in source.parts]
        return "\n\n".join(text for text in texts if text is not None) or None


def _missing_sentence(source: Source) -> str:
    if source.kind == "agent_result":
        return f"The agent {source.agent_id} has no result that could be worked on."
    if source.kind == "context_variable":
        name = source.variable_name
        return f"The execution has no variable {name!r}; give it in the body's context when you start it."
    return "None of the agents whose results it combines has one."
