"""The result of an execution: its agents' results, costs and tokens, read from their runs."""

from collections import defaultdict

from config.http.fields import iso
from config.values.json_types import JsonObject
from governance.budgets.reservations import MICRO_PER_CENT
from orchestration.models import Run
from teams.execution.state import error_of, events_of, status_word

MICRO_PER_USD = MICRO_PER_CENT * 100


def result_json(run: Run) -> JsonObject:
    """TeamExecutionResult of the contract; of an unfinished execution what there is, and `final_result` null."""
    rows = Run.objects.for_tenant(run.tenant_id).filter(parent_id=run.id).order_by("id")
    runs = {str(child.id): child for child in rows}
    completed = [event["payload"] for event in events_of(run) if event["kind"] == "agent_completed"]
    costs: dict[str, float] = defaultdict(float)
    tokens: dict[str, int] = defaultdict(int)
    for child in runs.values():
        costs[child.subject_id] += child.cost_micro / MICRO_PER_USD
        tokens[child.subject_id] += child.prompt_tokens + child.completion_tokens
    duration = (run.finished_at - run.started_at).total_seconds() if run.finished_at and run.started_at else None
    return {
        "execution_id": str(run.id),
        "team_id": run.subject_id,
        "status": status_word(run.status),
        "final_result": run.result if run.status == "completed" else None,
        "error_message": error_of(run),
        "agent_results": {payload["agent_id"]: runs[payload["agent_run_id"]].result for payload in completed},
        "cost_metrics": {
            "total_cost_usd": round(sum(costs.values()), 6),
            "agent_costs": {agent_id: round(cost, 6) for agent_id, cost in costs.items()},
        },
        "usage_metrics": {"total_tokens": sum(tokens.values()), "agent_tokens": dict(tokens)},
        "started_at": iso(run.started_at),
        "completed_at": iso(run.finished_at),
        "execution_duration": None if duration is None else round(duration, 3),
    }
