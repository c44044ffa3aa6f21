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
    started: datetime
    ended: datetime | None = None
    note: str = ""

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return (self.ended - self.started).total_seconds() if self.ended else None


@dataclass
class RunView:
    """The run's row, its steps by name, and the last events."""

    run: Run
    nodes: dict[str, NodeView] = field(default_factory=dict)
    fresh: list[RunEvent] = field(default_factory=list)
    asks: str = ""  # what a person is asked
    engine_alive: bool = True
    seq: int = 0

    @property
    def ended(self) -> bool:
        """The run is in a final state."""
        return self.run.status in FINAL

    @property
    def waits_for_a_person(self) -> bool:
        """The run goes on when somebody has decided."""
        return self.run.status == Status.PAUSED

    def take(self, event: RunEvent) -> None:
        """Note what the event says."""
        self.seq, told = event.seq, event.payload
        if event.kind == "approval_requested":
            self.asks = str(told.get("message") or f"the node {told.get('node_id')}")
        status = WORDS.get(event.kind)
        if status is None or not event.step:
            return
        node = self.nodes.setdefault(event.step, NodeView(event.step, str(told.get("node_type", "")), status, event.ts))
        node.status, node.note = status, str(told.get("error", ""))
        node.ended = event.ts if status in ("completed", "failed") else None


def watch(run: Run) -> Iterator[RunView]:
    """The run's view, again and again until it has ended."""
    view = RunView(run)
    looked = 0.0
    while True:
        # The row first: when it says that the run has ended, the events read after it are all there are.
        view.run = Run.objects.for_tenant(run.tenant_id).get(pk=run.pk)
        rows = RunEvent.objects.for_tenant(run.tenant_id).filter(run_id=run.pk, seq__gt=view.seq)
        view.fresh = list(rows.order_by("seq")[:1000])
        for event in view.fresh:
            view.take(event)
        if time.monotonic() - looked > HEALTH_S:
            looked = time.monotonic()
            view.engine_alive = engine_health()["engines"] > 0
        yield view
        if view.ended and len(view.fresh) < 1000:
            return
        time.sleep(POLL_S)
