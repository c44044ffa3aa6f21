"""What an execution came to: results, costs and tokens of its agents, read from their runs."""

from collections import defaultdict
from typing import Any

from governance.budgets.reservations import MICRO_PER_CENT
from orchestration.models import Run
from orchestration.serializers.runs import stamp
from teams.execution.state import events_of, word
from teams.serializers import error_of

MICRO_PER_USD = MICRO_PER_CENT * 100


def result_json(run: Run) -> dict[str, Any]:
    """TeamExecutionResult of the contract; of an unfinished execution what there is, and `final_result` null."""
    own = Run.objects.for_tenant(run.tenant_id).filter(parent_id=run.id).order_by("id")
    runs = {str(child.id): child for child in own}
    done = [event["payload"] for event in events_of(run) if event["kind"] == "agent_completed"]
    costs: dict[str, float] = defaultdict(float)
    tokens: dict[str, int] = defaultdict(int)
    for child in runs.values():
        costs[child.subject_id] += child.cost_micro / MICRO_PER_USD
        tokens[child.subject_id] += child.prompt_tokens + child.completion_tokens
    duration = (run.finished_at - run.started_at).total_seconds() if run.finished_at and run.started_at else None
    return {
        "execution_id": str(run.id),
        "team_id": run.subject_id,
        "status": word(run.status),
        "final_result": run.result if run.status == "completed" else None,
        "error_message": error_of(run),
        "agent_results": {told["agent_id"]: runs[told["agent_run_id"]].result for told in done},
        "cost_metrics": {
            "total_cost_usd": round(sum(costs.values()), 6),
            "agent_costs": {agent_id: round(cost, 6) for agent_id, cost in costs.items()},
        },
        "usage_metrics": {"total_tokens": sum(tokens.values()), "agent_tokens": dict(tokens)},
        "started_at": stamp(run.started_at),
        "completed_at": stamp(run.finished_at),
        "execution_duration": None if duration is None else round(duration, 3),
    }
