"""Code tasks as tests drive them: objectives whose marks script the model."""

import json
import uuid
from typing import Any

import pytest

from agents.sandbox import sandboxed_command
from orchestration.models import FINAL, Run
from tests.front import Front
from tests.orchestration.running import until

TASKS = "/tasks"
sandboxed = pytest.mark.skipif(
    bool(sandboxed_command.unavailable_reason()), reason=sandboxed_command.unavailable_reason() or "-"
)


def use(tool: str, times: int = 1, **params: Any) -> str:
    """The marks that have the model call this tool, after those before."""
    return f"<<step: {tool} {json.dumps(params)}>>" * times


def create(front: Front, token: str, objective: str, **body: Any) -> dict[str, Any]:
    """A new task."""
    answer = front.post(TASKS, token, {"objective": objective, **body})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def task(front: Front, token: str, id: str) -> dict[str, Any]:
    """The task."""
    answer = front.request("GET", f"{TASKS}/{id}", token)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def over(id: str) -> Run:
    """The task's run, once it is final."""
    return until(lambda: Run.all_tenants.filter(pk=uuid.UUID(id), status__in=FINAL).first(), 60)


def finish(front: Front, token: str, objective: str, **body: Any) -> dict[str, Any]:
    """The task, created and over."""
    id = create(front, token, objective, **body)["id"]
    over(id)
    return task(front, token, id)


def actions(front: Front, token: str, *marks: str) -> list[dict[str, Any]]:
    """What the calls of these marks came to, made by one task."""
    done = finish(front, token, "Do " + "".join(marks))
    found: list[dict[str, Any]] = done["result"]["actions_taken"]
    return found


def shell(front: Front, token: str, command: str, times: int = 1) -> list[dict[str, Any]]:
    """What the shell answered, call by call."""
    done = actions(front, token, use("shell", times, command=command))
    return [json.loads(action["result"]) for action in done]
