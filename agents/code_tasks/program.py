"""The program "task": fill a workspace, have the agent work in it, report what has changed (seed 003)."""

from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings

from agents.code_tasks import GAVE_UP, report, workspace_sources
from agents.code_tasks.agent import coder, message
from agents.code_tasks.workspace import Workspace
from agents.llm.answer_text import answer_text
from agents.loop.agent_loop import AgentRequest, run_agent
from config.errors import DomainError
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
async def work(ctx: "RunContext") -> dict[str, Any]:
    """{output}: the agent's last words; what it has changed is the report step's."""
    asked, space = ctx.run.input, Workspace(ctx.run.id)
    base = await ctx.step(
        "workspace", workspace_sources.fill, ctx, space, type="workspace", silent=True, retry=Retry(2)
    )
    try:
        turn = await run_agent(
            ctx, coder(), AgentRequest(message(asked["objective"], asked.get("context"))), prefix=PREFIX
        )
    except (StepFailed, DomainError):
        await _report(ctx, space, base)
        raise
    said = answer_text(turn.text)
    await _report(ctx, space, base, said.removeprefix(GAVE_UP).strip())
    if said.startswith(GAVE_UP):
        raise NotReached(said.removeprefix(GAVE_UP).strip())
    return {"output": turn.text}


async def _report(ctx: "RunContext", space: Workspace, base: str, said: str = "") -> None:
    await ctx.step(REPORT, partial(report.report, ctx, space, base, said), type=REPORT, silent=True)
