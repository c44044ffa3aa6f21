"""The result of an execution: answers, costs and tokens of its agents, read from their runs."""

from collections import defaultdict
from dataclasses import dataclass

from config.values.json_types import Json, JsonObject
from governance.budgets.reservations import MICRO_PER_CENT
from orchestration.models import Run
from teams.execution.state import error_of, events_of

MICRO_PER_USD = MICRO_PER_CENT * 100


@dataclass(frozen=True)
class ExecutionResult:
    """An execution with the results of its agents so far; costs in US dollars."""

    run: Run
    agent_results: dict[str, Json]
    agent_costs: dict[str, float]
    agent_tokens: dict[str, int]
    total_cost_usd: float

    @property
    def final_result(self) -> JsonObject | None:
        """The team's result; None until it has completed."""
        return self.run.result if self.run.status == "completed" else None

    @property
    def error_message(self) -> str | None:
        """The error that ended it, if one did."""
        return error_of(self.run)

    @property
    def total_tokens(self) -> int:
        """Tokens of all agents."""
        return sum(self.agent_tokens.values())

    @property
    def execution_duration(self) -> float | None:
        """Seconds from start to end; None until the end."""
        if not self.run.finished_at or not self.run.started_at:
            return None
        return round((self.run.finished_at - self.run.started_at).total_seconds(), 3)


def result_of(run: Run) -> ExecutionResult:
    """The execution's result, read from the runs of its agents."""
    children = Run.objects.for_tenant(run.tenant_id).filter(parent_id=run.id).order_by("id")
    runs = {str(child.id): child for child in children}
    completed = [event["payload"] for event in events_of(run) if event["kind"] == "agent_completed"]
    costs: dict[str, float] = defaultdict(float)
    tokens: dict[str, int] = defaultdict(int)
    for child in runs.values():
        costs[child.subject_id] += child.cost_micro / MICRO_PER_USD
        tokens[child.subject_id] += child.prompt_tokens + child.completion_tokens
    return ExecutionResult(
        run,
        agent_results={payload["agent_id"]: runs[payload["agent_run_id"]].result for payload in completed},
        agent_costs={agent_id: round(cost, 6) for agent_id, cost in costs.items()},
        agent_tokens=dict(tokens),
        total_cost_usd=round(sum(costs.values()), 6),
    )
