"""The input of a code task's run."""

from dataclasses import dataclass

from config.values.json_types import JsonObject


@dataclass(frozen=True)
class TaskInput:
    """A task's objective, and what its workspace begins with: uploaded files or a repository of this machine."""

    objective: str
    context: JsonObject | None = None
    file_ids: tuple[str, ...] = ()
    git_url: str = ""

    @classmethod
    def of(cls, input: JsonObject) -> "TaskInput":
        """The input, read from its run."""
        file_ids = tuple(input.get("file_ids") or ())
        return cls(input["objective"], input.get("context"), file_ids, input.get("git_url") or "")


def input_json(values: JsonObject) -> JsonObject:
    """The run's input of a checked request: without the fields that the request leaves out, but with `context`."""
    return {name: value for name, value in values.items() if value is not None or name == "context"}
