"""The program "task": fill a workspace, have the agent work in it, report what has changed (seed 003)."""

from functools import partial
from typing import TYPE_CHECKING

from django.conf import settings

from agents.code_tasks import FAILURE_PREFIX
from agents.code_tasks.agent import coder, message
from agents.code_tasks.report import make_report
from agents.code_tasks.task_input import TaskInput
from agents.code_tasks.workspace_content import fill_workspace
from agents.llm.answer_text import answer_text
from agents.loop.agent_loop import AgentRequest, run_agent
from agents.workspaces.workspace import Workspace
from config.errors import DomainError
from config.values.json_types import JsonObject
from orchestration.program.registry import program
from orchestration.program.retry import Retry, StepFailed

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

KIND = "task"
PREFIX = "task"  # of the names of the agent's steps
REPORT = "report"


class NotReached(DomainError):
    """The agent says that the objective cannot be reached."""

    status, code = 424, "OBJECTIVE_NOT_REACHED"


@program(KIND, per_user=lambda: settings.TASKS_PER_USER)
async def run_task(ctx: "RunContext") -> JsonObject:
    """{output}: the agent's answer; the changes in the workspace are the report step's output."""
    input, workspace = TaskInput.of(ctx.run.input), Workspace(ctx.run.id)
    base = await ctx.step(
        "workspace", fill_workspace, ctx, workspace, input, type="workspace", silent=True, retry=Retry(2)
    )
    try:
        turn = await run_agent(ctx, coder(), AgentRequest(message(input)), prefix=PREFIX)
    except (StepFailed, DomainError):
        await _report(ctx, workspace, base)
        raise
    answer = answer_text(turn.text)
    await _report(ctx, workspace, base, answer.removeprefix(FAILURE_PREFIX).strip())
    if answer.startswith(FAILURE_PREFIX):
        raise NotReached(answer.removeprefix(FAILURE_PREFIX).strip())
    return {"output": turn.text}


async def _report(ctx: "RunContext", workspace: Workspace, base: str, answer: str = "") -> None:
    await ctx.step(REPORT, partial(make_report, ctx, workspace, base, answer), type=REPORT, silent=True)
