"""A team whose agents work at the same time: how much longer it takes than one of them."""

from agents.models import Agent
from tests.bench import load
from tests.bench.figures import Row, at_most
from tests.bench.setting import Bench

AGENTS, LATENCY_S = 10, 1.0


def measure(bench: Bench) -> list[Row]:
    """From the queued row to the end of the execution."""
    ids = [f"team-{number}" for number in range(AGENTS)]
    profile = {"provider": "openai", "model": "gpt-4o-mini"}
    Agent.all_tenants.bulk_create(
        Agent(tenant=bench.tenant, key=id, name=id, model_profile=profile, memory={"recall": False, "store": False})
        for id in ids
    )
    members = [{"agent_id": id, "input": {"source": "initial_prompt"}} for id in ids]
    given = {"team_id": "bench", "initial_prompt": "hello"}
    given["workflow_definition"] = {"type": "parallel", "agents": members}
    queued = {"kind": "team", "subject_id": "bench", "input": given}
    with bench.stack.model_server(LATENCY_S) as gateway, bench.stack.worker(**gateway):
        load.seconds(bench, load.queue(bench, 1, **queued))
        taken = [load.seconds(bench, load.queue(bench, 1, **queued)) for _ in range(bench.trials)]
    what = f"a parallel team of {AGENTS} agents, {LATENCY_S:g} s per model call"
    return [Row("team", what, "s", taken, (at_most(1.3),), "one model call", [LATENCY_S])]
