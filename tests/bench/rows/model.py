"""A thousand runs that wait for a model at once: how soon all are done, and what waiting costs."""

import time
from dataclasses import dataclass, field

from agents.models import Agent
from orchestration.models import Workflow
from tests.bench import load
from tests.bench.figures import Row, at_most
from tests.bench.load import Batch
from tests.bench.setting import Bench
from tests.bench.stack import WORKER, Program

RUNS, WARM_RUNS = 1_000, 400
ENGINES = 2
LATENCY_S = 2.0
MIN_INTERVAL_SAMPLES_S = 0.25


@dataclass
class Cost:
    """The most that was seen of memory and connections."""

    bench: Bench
    worker: Program
    memory_mb: float = 0.0
    connections: float = 0.0
    looked_at: float = field(default=0.0, repr=False)

    def look(self) -> None:
        """Take a sample when it is time for one."""
        if time.monotonic() - self.looked_at < MIN_INTERVAL_SAMPLES_S:
            return
        self.memory_mb = max(self.memory_mb, self.worker.memory_mb())
        own = self.bench.database.sessions("regente-engine", WORKER) / ENGINES
        self.connections = max(self.connections, own)
        self.looked_at = time.monotonic()


def measure(bench: Bench) -> list[Row]:
    """Makespan, memory and connections of runs that wait."""
    workflow = _workflow(bench)
    with bench.stack.model_server(LATENCY_S) as gateway, bench.stack.worker(**gateway) as worker:
        load.seconds(bench, _queue(bench, workflow, WARM_RUNS, "<<delay: 0>>"))
        costs, taken = [], []
        for _ in range(bench.trials):
            costs.append(Cost(bench, worker))
            taken.append(load.seconds(bench, _queue(bench, workflow, RUNS, "hello"), costs[-1].look))
    return _rows(taken, costs)


def _rows(taken: list[float], costs: list[Cost]) -> list[Row]:
    memory = [cost.memory_mb for cost in costs]
    connections = [cost.connections for cost in costs]
    return [
        Row(
            "model",
            f"{RUNS:,} runs that wait for a {LATENCY_S:g} s model behind a gateway",
            "s",
            taken,
            (at_most(2.5, of_floor=True),),
            "one model call",
            [LATENCY_S],
        ),
        Row("memory", "peak memory of all worker processes, PSS", "MB", memory, (at_most(450),)),
        Row("connections", "database connections per engine, ORM included", "", connections, (at_most(6),)),
    ]


def _workflow(bench: Bench) -> Workflow:
    """One agent node, whose prompt is the run's input."""
    Agent.all_tenants.create(
        tenant=bench.tenant, key="bench", name="Bench", model_profile={"provider": "openai", "model": "gpt-4o-mini"}
    )
    return bench.workflow({"id": "ask", "type": "agent", "config": {"agent_id": "bench", "prompt": "{{ input.text }}"}})


def _queue(bench: Bench, workflow: Workflow, count: int, text: str) -> Batch:
    pinned = {"subject_id": str(workflow.pk), "subject_version": workflow.revision}
    return load.queue(bench, count, kind="workflow", input={"text": text}, **pinned)
