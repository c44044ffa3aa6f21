"""What an agent of a team works on: the prompt, results of others, a variable; and whether its turn comes at all."""

from collections.abc import Iterable, Mapping
from typing import Any

from agents.workflow_nodes import as_text
from config.errors import DomainError
from governance.conditions import MISSING, compare, lookup, path_parts


class InputMissing(DomainError):
    """An agent cannot begin: what it should work on is not there."""

    status, code = 400, "INPUT_MISSING"


def fields_of(output: Mapping[str, Any]) -> dict[str, Any]:
    """What conditions may name of an agent's output: `result`, and the fields of its JSON answer."""
    return {"result": output.get("result")} | (output.get("data") or {})


class Shared:
    """What an execution knows: its prompt and variables, and each result as soon as there is one."""

    def __init__(self, prompt: str, variables: Mapping[str, Any]) -> None:
        self.prompt, self.variables = prompt, dict(variables)
        self.results: dict[str, dict[str, Any]] = {}

    def context(self) -> dict[str, Any]:
        """{initial_prompt, agent_<id>_result…, variables…}: what conditions name by path."""
        told = {f"agent_{agent_id}_result": fields_of(output) for agent_id, output in self.results.items()}
        return {**self.variables, "initial_prompt": self.prompt, **told}

    def fulfils(self, conditions: Iterable[Mapping[str, Any]]) -> bool:
        """True when every condition holds for what is known now; of what is missing only `not_exists` does."""
        return all(compare(one["operator"], self._value(one), one.get("value")) for one in conditions)

    def _value(self, condition: Mapping[str, Any]) -> Any:
        """What the condition is about: a field of an agent's output, or of the context; MISSING without one."""
        path = condition.get("field") or "result"
        if agent_id := condition.get("agent_id"):
            output = self.results.get(agent_id)
            return MISSING if output is None else lookup(fields_of(output), path_parts(path))
        context = self.context()
        for name in sorted(context, key=len, reverse=True):  # ids of agents, and so such names, may have dots
            if path == name or path.startswith(f"{name}."):
                return lookup(context[name], path_parts(path[len(name) + 1 :]))
        return MISSING

    def message(self, source: dict[str, Any]) -> str:
        """The text that a source names; InputMissing when there is none."""
        found = self._found(source.get("source") or source.get("type") or "initial_prompt", source)
        if found is None:
            raise InputMissing(self._what(source))
        return found

    def _found(self, kind: str, source: dict[str, Any]) -> str | None:
        if kind == "initial_prompt":
            return self.prompt
        if kind == "agent_result":
            output = self.results.get(source.get("agent_id", ""))
            return None if output is None else as_text(output.get("result"))
        if kind == "context_variable":
            value = self.variables.get(source.get("variable_name", ""))
            return None if value is None else as_text(value)
        parts = [self._found(part.get("type") or part.get("source") or "", part) for part in source.get("sources", [])]
        return "\n\n".join(part for part in parts if part is not None) or None

    def _what(self, source: dict[str, Any]) -> str:
        kind = source.get("source")
        if kind == "agent_result":
            return f"The agent {source.get('agent_id')} has no result that could be worked on."
        if kind == "context_variable":
            name = source.get("variable_name")
            return f"The execution has no variable {name!r}; give it in the body's context when you start it."
        return "None of the agents whose results it combines has one."
