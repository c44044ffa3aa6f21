"""The program "agent": one agent answers one message, as a run of its own. Teams and jobs start such runs.

A run's input is {message, profile?, timeout_s?, retry?: {max_attempts, backoff_s}, team_id?}.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agents.catalog.lookup import AgentSpec
from agents.loop.agent_loop import Ask, Turn, load_agent, run_agent
from orchestration.program.registry import program
from orchestration.program.retry import Retry

if TYPE_CHECKING:
    from orchestration.program.context import RunContext
    from orchestration.program.run_info import RunInfo

KIND = "agent"
WHOLE = frozenset({"stop", "tool_calls"})  # ends of answers that lack nothing
OVERRIDES = ("provider", "model", "temperature", "max_tokens")


def team_of(run: "RunInfo") -> dict[str, str]:
    """The team that the agent works for, whose limits count too."""
    return {"team": run.input.get("team_id", "")}


@program(KIND, budget_owners=team_of)
async def answer_once(ctx: "RunContext") -> dict[str, Any]:
    """{result: the answer's text}, and `data`, when the answer is a JSON object."""
    asked = ctx.run.input
    agent = overridden(await load_agent(ctx, ctx.run.subject_id), asked.get("profile") or {})

    async def answer() -> dict[str, Any]:
        ask = Ask(asked["message"], aloud=True, answer_schema=asked.get("answer_schema"))
        return output(await run_agent(ctx, agent, ask, prefix="agent"))

    retry = asked.get("retry") or {}
    told: dict[str, Any] = await ctx.step(
        "agent",
        answer,
        node_id=agent.id,
        type="agent",
        input={"message": asked["message"]},
        retry=Retry(retry.get("max_attempts", 1), retry.get("backoff_s", 1.0)),
        timeout_s=asked.get("timeout_s"),
    )
    return told


def overridden(agent: AgentSpec, profile: dict[str, Any]) -> AgentSpec:
    """The agent with another model, temperature or length of answers."""
    changed = {name: profile[name] for name in OVERRIDES if profile.get(name) is not None}
    return replace(agent, profile=replace(agent.profile, **changed)) if changed else agent


def output(turn: Turn) -> dict[str, Any]:
    """An answer as the next agent, conditions and clients see it."""
    data = turn.data
    end = {} if turn.finish_reason in WHOLE else {"finish_reason": turn.finish_reason}
    return {"result": turn.text} | ({} if data is None else {"data": data}) | end
