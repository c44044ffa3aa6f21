"""The state of an execution, folded from the events of its run: for the status, the log and the monitors alike."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from config.values.json_types import JsonObject
from orchestration.models import FINAL, Run, RunEvent, Status
from teams.definition.plan import Plan, plan_of
from teams.execution.duration import expected_seconds

EVENT_KINDS = (
    *("agent_started", "agent_completed", "agent_failed", "agent_skipped"),
    *("run_started", "run_completed", "run_failed", "run_cancelled"),
)
EVENT_FIELDS = ("run_id", "seq", "kind", "step", "payload", "ts")
STATUS_WORDS: dict[str, str] = {Status.PAUSED: "running"}  # the contract has no word for it
CANCELLED = "Execution cancelled by user"


def error_of(run: Run) -> str | None:
    """The error that an execution ended by; None of one that goes on, or completed."""
    if run.status == Status.CANCELLED:
        return CANCELLED
    return (run.result or {}).get("error") if run.status == Status.FAILED else None


def events_of(run: Run) -> QuerySet[Any, JsonObject]:
    """The execution's events in their order, as rows of EVENT_FIELDS."""
    rows = RunEvent.objects.for_tenant(run.tenant_id).filter(run_id=run.id, kind__in=EVENT_KINDS)
    return rows.order_by("seq").values(*EVENT_FIELDS)


class AgentStatus(NamedTuple):
    """An agent in one step of the execution: running, completed, failed, skipped or cancelled."""

    agent_id: str
    status: str


@dataclass
class State:
    """`agents` are the steps that have begun or were skipped, by their number."""

    run_id: UUID
    team_id: str
    plan: Plan
    expected_s: float = 0.0
    status: str = Status.PENDING
    agents: dict[int, AgentStatus] = field(default_factory=dict)
    started_at: datetime | None = None
    updated_at: datetime | None = None
    error: str | None = None

    @classmethod
    def of(cls, run: Run, expected_s: float = 0.0) -> "State":
        """The state before the first event; `expected_s`: the seconds that the execution is estimated to take."""
        plan = plan_of(run.input["workflow_definition"])
        return cls(run.id, run.subject_id, plan, expected_s, updated_at=run.created_at)

    def fold(self, event: JsonObject) -> None:
        """Take one more event into account."""
        kind, payload, self.updated_at = event["kind"], event["payload"], event["ts"]
        if kind.startswith("agent_"):
            status = "running" if kind == "agent_started" else kind.removeprefix("agent_")
            self.agents[payload["step_order"]] = AgentStatus(payload["agent_id"], status)
            return
        self.status = "running" if kind == "run_started" else kind.removeprefix("run_")
        if kind == "run_started":
            self.started_at = event["ts"]
            return
        for step, agent_id in self.running_steps():
            self.agents[step] = AgentStatus(agent_id, "cancelled")
        self.error = CANCELLED if kind == "run_cancelled" else payload.get("error")

    def running_steps(self) -> list[tuple[int, str]]:
        """(step, agent's id) of the agents at work, in the order in which they began."""
        return [(step, agent.agent_id) for step, agent in self.agents.items() if agent.status == "running"]

    def agents_in(self, status: str) -> list[str]:
        """The ids of the agents in this status, in the order of their steps, each once."""
        return list(dict.fromkeys(agent.agent_id for _, agent in sorted(self.agents.items()) if agent.status == status))

    @property
    def total(self) -> int:
        """The number of steps planned; of a supervised team, whose turns are not planned, of those that have begun."""
        return max(len(self.agents), 1) if self.plan.type == "supervised" else len(self.plan.members)

    @property
    def progress(self) -> float:
        """The percentage of steps that are completed or skipped; 100 of a completed execution."""
        if self.status == Status.COMPLETED:
            return 100.0
        count = sum(agent.status in ("completed", "skipped") for agent in self.agents.values())
        return round(100.0 * count / self.total, 1)

    @property
    def current_step(self) -> int:
        """The number of the step under way, from 1; of the last one when none is."""
        return max([step for step, _ in self.running_steps()] or self.agents, default=1)

    @property
    def estimated_completion(self) -> datetime | None:
        """The start and the seconds that the execution is estimated to take; None before it begins."""
        if self.started_at is None:
            return None
        if self.status in FINAL:
            return self.updated_at
        return max(self.started_at + timedelta(seconds=self.expected_s), datetime.now(UTC))


def state_of(run: Run) -> State:
    """The execution's state now."""
    state = State.of(run, expected_seconds(run))
    for event in events_of(run):
        state.fold(event)
    return state
