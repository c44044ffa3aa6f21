"""The state of an execution, folded from the events of its run: for the status, the logs and the monitors alike."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Avg, F, QuerySet

from config.values.json_types import JsonObject
from orchestration.models import FINAL, NEWEST_FIRST, Run, RunEvent, Status
from teams.definition.plan import Plan, plan_of
from teams.models import KIND

KINDS = (
    *("agent_started", "agent_completed", "agent_failed", "agent_skipped"),
    *("run_started", "run_completed", "run_failed", "run_cancelled"),
)
EVENT_FIELDS = ("run_id", "seq", "kind", "step", "payload", "ts")
LATEST = 20  # executions whose durations an estimate goes by
AGENT_S = 30.0  # what one agent is thought to take, while a team has no past
CONDITIONAL_SHARE = 0.7
STATUS_WORDS: dict[str, str] = {Status.PAUSED: "running"}  # the contract has no word for it
CANCELLED = "Execution cancelled by user"


def error_of(run: Run) -> str | None:
    """The error that ended an execution; None while it goes on, or when it completed."""
    if run.status == Status.CANCELLED:
        return CANCELLED
    return (run.result or {}).get("error") if run.status == Status.FAILED else None


def events_of(run: Run) -> QuerySet[Any, JsonObject]:
    """The execution's events in their order, as rows of EVENT_FIELDS."""
    rows = RunEvent.objects.for_tenant(run.tenant_id).filter(run_id=run.id, kind__in=KINDS)
    return rows.order_by("seq").values(*EVENT_FIELDS)


@dataclass
class State:
    """The status of each agent; `agents` is {step: (agent's id, its status)}."""

    run_id: UUID
    team_id: str
    plan: Plan
    seconds: float = 0.0  # what an execution of this team takes
    status: str = Status.PENDING
    agents: dict[int, tuple[str, str]] = field(default_factory=dict)
    started_at: datetime | None = None
    updated_at: datetime | None = None
    error: str | None = None

    @classmethod
    def of(cls, run: Run, seconds: float = 0.0) -> "State":
        """The state before the first event."""
        plan = plan_of(run.input["workflow_definition"])
        return cls(run.id, run.subject_id, plan, seconds, updated_at=run.created_at)

    def fold(self, event: JsonObject) -> None:
        """Take one more event into account."""
        kind, payload, self.updated_at = event["kind"], event["payload"], event["ts"]
        if kind.startswith("agent_"):
            status = "running" if kind == "agent_started" else kind.removeprefix("agent_")
            self.agents[payload["step_order"]] = (payload["agent_id"], status)
            return
        self.status = "running" if kind == "run_started" else kind.removeprefix("run_")
        if kind == "run_started":
            self.started_at = event["ts"]
            return
        for step, (agent_id, status) in self.agents.items():
            if status == "running":
                self.agents[step] = (agent_id, "cancelled")
        self.error = CANCELLED if kind == "run_cancelled" else payload.get("error")

    def agents_in(self, *statuses: str) -> list[str]:
        """The ids of the agents in one of these statuses, in the order of their steps, each once."""
        return list(dict.fromkeys(id for _, (id, status) in sorted(self.agents.items()) if status in statuses))

    @property
    def total(self) -> int:
        """Steps planned; a coordinator's turns are known only as they come."""
        return max(len(self.agents), 1) if self.plan.type == "supervised" else len(self.plan.members)

    @property
    def progress(self) -> float:
        """The percentage of steps that are over; all of a completed execution."""
        if self.status == Status.COMPLETED:
            return 100.0
        over = sum(status in ("completed", "skipped") for _, status in self.agents.values())
        return round(100.0 * over / self.total, 1)

    @property
    def current_step(self) -> int:
        """The number of the step under way, from 1; of the last one when none is."""
        running = [step for step, (_, status) in self.agents.items() if status == "running"]
        return max(running or self.agents, default=1)

    @property
    def estimated_completion(self) -> datetime | None:
        """When it will be done, going by the team's past; None before it begins."""
        if self.started_at is None:
            return None
        if self.status in FINAL:
            return self.updated_at
        return max(self.started_at + timedelta(seconds=self.seconds), datetime.now(UTC))


def usual_seconds(run: Run) -> float:
    """What the team's latest executions took on average; without any, what its agents may be thought to take."""
    completed = Run.objects.for_tenant(run.tenant_id).filter(
        kind=KIND, subject_id=run.subject_id, status=Status.COMPLETED, started_at__isnull=False
    )
    latest = completed.order_by(*NEWEST_FIRST).annotate(duration=F("finished_at") - F("started_at"))[:LATEST]
    past = latest.aggregate(mean=Avg("duration"))["mean"]
    if past is not None:
        return float(past.total_seconds())
    plan = plan_of(run.input["workflow_definition"])
    agents = 1 if plan.type == "parallel" else len(plan.members)
    return AGENT_S * agents * (CONDITIONAL_SHARE if plan.type == "conditional" else 1.0)


def state_of(run: Run) -> State:
    """How the execution stands now."""
    state = State.of(run, usual_seconds(run))
    for event in events_of(run):
        state.fold(event)
    return state
