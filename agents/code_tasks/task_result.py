"""The result of a finished task: its run's result, its tool calls, and the report (report.py)."""

from dataclasses import dataclass
from typing import Any

from agents.code_tasks.program import REPORT
from agents.code_tasks.states import task_state
from agents.code_tasks.task_log import CANCELLED
from agents.llm.function_calls import parse_arguments
from config.errors import Invalid
from config.values.foreign_json import write_json
from config.values.json_types import Json, JsonObject
from orchestration.models import Run, Status


@dataclass(frozen=True)
class TaskAction:
    """A tool call; its result is a text, anything else as JSON."""

    tool: str | None
    params: JsonObject
    result: str
    success: bool
    duration_ms: int | None


@dataclass(frozen=True)
class TaskResult:
    """`diff`, `files` ([{path, file_id, size}]) and `notes` are the report's."""

    success: bool
    output: str
    error: str | None
    actions_taken: list[TaskAction]
    diff: str | None
    files: list[JsonObject]
    notes: list[str]


def result_of(run: Run, steps: list[JsonObject], max_length: int | None) -> TaskResult:
    """The result; `steps` are the tool calls and the report, of each action's result so many characters are kept."""
    result = run.result if isinstance(run.result, dict) else {}
    success = run.status == Status.COMPLETED
    report: Any = next((step["output"] for step in steps if step["name"] == REPORT and step["output"]), {})
    error = None if success else result.get("error") or (CANCELLED if task_state(run) == "cancelled" else "It failed.")
    return TaskResult(
        success=success,
        output=str(result.get("output") or "") if success else report.get("said", ""),
        error=error,
        actions_taken=[_action(step, max_length) for step in steps if step["name"] != REPORT],
        diff=report.get("diff"),
        files=report.get("files", []),
        notes=report.get("notes", []),
    )


def _params(input: Json) -> JsonObject:
    """The arguments of the call; {} for a text that could not be read as such."""
    if not isinstance(input, str):
        return input or {}
    try:
        return parse_arguments(input)
    except Invalid:
        return {}


def _action(step: JsonObject, max_length: int | None) -> TaskAction:
    failed = step["error"] is not None
    output = f"Error: {step['error']['error']}" if failed else step["output"]
    text = output if isinstance(output, str) else write_json(output).decode()
    end = step["finished_at"]
    return TaskAction(
        tool=step["node_id"],
        params=_params(step["input"]),
        result=text if max_length is None else text[:max_length],
        success=not failed,
        duration_ms=round((end - step["started_at"]).total_seconds() * 1000) if end else None,
    )
