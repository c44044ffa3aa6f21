"""The program "agent": one agent answers one message, as a run of its own. Teams and jobs start such runs.

A run's input is {message, profile?, timeout_s?, retry?: {max_attempts, backoff_s}, team_id?}.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from agents.catalog.lookup import AgentSpec
from agents.loop.agent_loop import AgentRequest, Turn, load_agent, run_agent
from config.values.json_types import JsonObject
from orchestration.program.registry import program
from orchestration.program.retry import Retry

if TYPE_CHECKING:
    from orchestration.program.context import RunContext
    from orchestration.program.run_info import RunInfo

KIND = "agent"
WHOLE = frozenset({"stop", "tool_calls"})  # finish reasons of complete answers
OVERRIDES = ("provider", "model", "temperature", "max_tokens")


def team_of(run: "RunInfo") -> dict[str, str]:
    """The team that the agent works for, whose limits count too."""
    return {"team": run.input.get("team_id", "")}


@program(KIND, budget_owners=team_of)
async def answer_once(ctx: "RunContext") -> JsonObject:
    """{result: the answer's text}, and `data`, when the answer is a JSON object."""
    input = ctx.run.input
    agent = with_overrides(await load_agent(ctx, ctx.run.subject_id), input.get("profile") or {})

    async def answer() -> JsonObject:
        request = AgentRequest(input["message"], stream=True, answer_schema=input.get("answer_schema"))
        return output(await run_agent(ctx, agent, request, prefix="agent"))

    retry = input.get("retry") or {}
    result: JsonObject = await ctx.step(
        "agent",
        answer,
        node_id=agent.id,
        type="agent",
        input={"message": input["message"]},
        retry=Retry(retry.get("max_attempts", 1), retry.get("backoff_s", 1.0)),
        timeout_s=input.get("timeout_s"),
    )
    return result


def with_overrides(agent: AgentSpec, profile: JsonObject) -> AgentSpec:
    """The agent with another model, temperature or length of answers."""
    overrides = {name: profile[name] for name in OVERRIDES if profile.get(name) is not None}
    return replace(agent, profile=replace(agent.profile, **overrides)) if overrides else agent


def output(turn: Turn) -> JsonObject:
    """An answer as the next agent, conditions and clients see it."""
    data = turn.data
    end = {} if turn.finish_reason in WHOLE else {"finish_reason": turn.finish_reason}
    return {"result": turn.text} | ({} if data is None else {"data": data}) | end
