"""The program "team": runs a team's plan on a prompt.

The agents' work is recorded as agent_started, agent_completed, agent_failed and agent_skipped events of the execution's
run, each written with the record that makes it true; state.py, execution_log.py and the monitor read them.
"""

from typing import TYPE_CHECKING

from agents.loop.agent_program import team_of
from config.values.json_types import JsonObject
from orchestration.program.registry import program
from teams.definition.plan import plan_of
from teams.execution.execution_context import ExecutionContext
from teams.execution.strategies import STRATEGIES
from teams.execution.team_work import TeamWork
from teams.models import KIND

if TYPE_CHECKING:
    from orchestration.program.context import RunContext


@program(KIND, budget_owners=team_of)
async def run_team(ctx: "RunContext") -> JsonObject:
    """The execution's final_result: {summary, details} and what the team's type adds."""
    input = ctx.run.input
    plan = plan_of(input["workflow_definition"])
    work = TeamWork(ctx, plan, ExecutionContext(input["initial_prompt"], input.get("context") or {}))
    result = await STRATEGIES[plan.type](work)
    return result | await work.leader_summary()
