"""How long an execution is estimated to take."""

from django.db.models import Avg, F

from orchestration.models import NEWEST_FIRST, Run, Status
from teams.definition.plan import plan_of
from teams.models import KIND

LATEST = 20  # executions that count: a team's definition changes, and so does its time
AGENT_S = 30.0  # of one agent, while the team has no completed execution
CONDITIONAL_SHARE = 0.7  # of a conditional team's agents whose conditions hold


def expected_seconds(run: Run) -> float:
    """The average of the team's latest completed executions; without any, AGENT_S for each agent in turn."""
    runs = Run.objects.for_tenant(run.tenant_id).filter(
        kind=KIND, subject_id=run.subject_id, status=Status.COMPLETED, started_at__isnull=False
    )
    latest = runs.order_by(*NEWEST_FIRST).annotate(duration=F("finished_at") - F("started_at"))[:LATEST]
    mean = latest.aggregate(mean=Avg("duration"))["mean"]
    if mean is not None:
        return float(mean.total_seconds())
    plan = plan_of(run.input["workflow_definition"])
    agents = 1 if plan.type == "parallel" else len(plan.members)
    return AGENT_S * agents * (CONDITIONAL_SHARE if plan.type == "conditional" else 1.0)
