"""A run as one who watches it sees it: what its nodes do, read from its events in the database."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from orchestration.engine.health import engine_health
from orchestration.models import FINAL, Run, RunEvent, Status

POLL_S = 0.15
HEALTH_S = 3.0
WORDS = {"step_started": "running", "step_completed": "completed", "step_failed": "failed", "step_retried": "retrying"}


@dataclass
class NodeView:
    """One step: what it is and what it is doing."""

    name: str
    type: str
    status: str
    started_at: datetime
    ended_at: datetime | None = None
    note: str = ""

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return (self.ended_at - self.started_at).total_seconds() if self.ended_at else None


@dataclass
class RunView:
    """The run's row, its steps by name, and the last events."""

    run: Run
    nodes: dict[str, NodeView] = field(default_factory=dict)
    fresh: list[RunEvent] = field(default_factory=list)
    question: str = ""  # what a person is asked
    engine_alive: bool = True
    seq: int = 0

    @property
    def is_final(self) -> bool:
        """The run is in a final state."""
        return self.run.status in FINAL

    @property
    def waits_for_a_person(self) -> bool:
        """The run goes on when somebody has decided."""
        return self.run.status == Status.PAUSED

    def take(self, event: RunEvent) -> None:
        """Note what the event says."""
        self.seq, payload = event.seq, event.payload
        if event.kind == "approval_requested":
            self.question = str(payload.get("message") or f"the node {payload.get('node_id')}")
        status = WORDS.get(event.kind)
        if status is None or not event.step:
            return
        node = self.nodes.setdefault(
            event.step, NodeView(event.step, str(payload.get("node_type", "")), status, event.ts)
        )
        node.status, node.note = status, str(payload.get("error", ""))
        node.ended_at = event.ts if status in ("completed", "failed") else None


def watch(run: Run) -> Iterator[RunView]:
    """The run's view, again and again until it has ended."""
    view = RunView(run)
    checked_at = 0.0
    while True:
        # The row first: when it says that the run has ended, the events read after it are all there are.
        view.run = Run.objects.for_tenant(run.tenant_id).get(pk=run.pk)
        rows = RunEvent.objects.for_tenant(run.tenant_id).filter(run_id=run.pk, seq__gt=view.seq)
        view.fresh = list(rows.order_by("seq")[:1000])
        for event in view.fresh:
            view.take(event)
        if time.monotonic() - checked_at > HEALTH_S:
            checked_at = time.monotonic()
            view.engine_alive = engine_health()["engines"] > 0
        yield view
        if view.is_final and len(view.fresh) < 1000:
            return
        time.sleep(POLL_S)
