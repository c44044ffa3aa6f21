"""How the agents of a team work together: one function for each type of team, which returns the final_result."""

from config.values.json_types import JsonObject
from governance.budgets.reservations import BudgetExceeded
from orchestration.program.retry import StepFailed
from teams.definition.plan import Member
from teams.execution.coordinator import TRUNCATED_CHOICE, choice, is_truncated, prompt
from teams.execution.outcome import final_result, joint_result
from teams.execution.team_work import TeamWork


async def run_sequential(work: TeamWork) -> JsonObject:
    """One after the other, to the first that fails; the last one's output is the team's."""
    output: JsonObject = {}
    for member in work.plan.members:
        output = await work.run_agent(member)
    return output | final_result(output)


async def run_parallel(work: TeamWork) -> JsonObject:
    """All at the same time; when one has failed the others still end."""
    faults = await work.ctx.gather(*[_run_to_end(work, member) for member in work.plan.members])
    for fault in faults:
        if fault is not None:
            raise fault
    outputs = {member.agent_id: work.context.outputs[member.agent_id] for member in work.plan.members}
    return {"agent_results": outputs} | joint_result(outputs)


async def _run_to_end(work: TeamWork, member: Member) -> Exception | None:
    """The failure of one of several at once: a budget that one has used up does not cancel the others."""
    try:
        return await work.try_agent(member)
    except BudgetExceeded as fault:
        return fault


async def run_conditional(work: TeamWork) -> JsonObject:
    """The first agent, then each whose conditions hold when its turn comes; only the first one's failure counts."""
    first, *others = work.plan.members
    await work.run_agent(first)
    for member in others:
        if work.context.fulfils(member.conditions):
            await work.try_agent(member)
        else:
            await work.skip(member)
    outputs = _executed_outputs(work)
    return {"executed_agents": work.executed_agents, "agent_results": outputs} | joint_result(outputs)


async def run_supervised(work: TeamWork) -> JsonObject:
    """The coordinator chooses who works next, and on what, until it is done or its turns are used up."""
    coordinator, faults = work.plan.coordinator, dict[str, str]()
    others = {member.agent_id: member for member in work.plan.members if member is not coordinator}
    for turn in range(1, work.plan.turns + 1):
        is_last = turn == work.plan.turns
        output = await work.run_agent(coordinator, prompt(work.context, others, faults, is_last=is_last), 2 * turn - 1)
        faults.pop(coordinator.agent_id, None)
        if is_truncated(output):
            faults[coordinator.agent_id] = TRUNCATED_CHOICE
            continue
        next_step = choice(output, others)
        if next_step.agent_id is None:
            results = {"executed_agents": work.executed_agents, "agent_results": _executed_outputs(work)}
            return results | final_result({"result": next_step.text})
        if not is_last:
            fault = await work.try_agent(others[next_step.agent_id], next_step.text or None, 2 * turn)
            faults.pop(next_step.agent_id, None)
            faults |= {next_step.agent_id: fault.error} if fault else {}
    raise StepFailed("team", f"The coordinator was not done after {work.plan.turns} turns.", "TurnsUsedUp")


def _executed_outputs(work: TeamWork) -> dict[str, JsonObject]:
    return {agent_id: work.context.outputs[agent_id] for agent_id in dict.fromkeys(work.executed_agents)}


STRATEGIES = {
    "sequential": run_sequential,
    "pipeline": run_sequential,
    "parallel": run_parallel,
    "conditional": run_conditional,
    "supervised": run_supervised,
}
