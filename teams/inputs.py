"""What an agent of a team is told: the prompt, the results of others, or a variable of the execution."""

from collections.abc import Mapping
from typing import Any

from agents.nodes import as_text
from config.errors import DomainError
from teams.conditions import fields_of


class InputMissing(DomainError):
    """An agent cannot begin: what it should work on is not there."""

    status, code = 400, "INPUT_MISSING"


class Shared:
    """What an execution knows: its prompt and variables, and each result as soon as there is one."""

    def __init__(self, prompt: str, variables: Mapping[str, Any]) -> None:
        self.prompt, self.variables = prompt, dict(variables)
        self.results: dict[str, dict[str, Any]] = {}

    def context(self) -> dict[str, Any]:
        """{initial_prompt, agent_<id>_result…, variables…}: what conditions name by path."""
        told = {f"agent_{agent_id}_result": fields_of(output) for agent_id, output in self.results.items()}
        return {**self.variables, "initial_prompt": self.prompt, **told}

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
