"""The steps of a run as they stand: the recorded ones, and those under way, which only the events know."""

from typing import Any

from orchestration.models import Run, RunEvent, Status, Step, StepStatus

FIELDS = ("run_id", "name", "position", "node_id", "type", "status", "input", "output", "error", "tries",
          "started_at", "finished_at")  # fmt: skip


def steps_of(run: Run) -> list[dict[str, Any]]:
    """Rows of FIELDS in the order of their starts."""
    recorded = list(
        Step.objects.for_tenant(run.tenant_id).filter(run_id=run.id).order_by("position", "name").values(*FIELDS)
    )
    if run.status in (Status.RUNNING, Status.PAUSED):
        recorded += _under_way(run, {row["name"] for row in recorded})
    return recorded


def _under_way(run: Run, recorded: set[str]) -> list[dict[str, Any]]:
    events = RunEvent.objects.for_tenant(run.tenant_id).filter(run_id=run.id, kind="step_started").order_by("seq")
    rows = []
    for event in events.exclude(step__in=recorded):
        told = event.payload
        row = {"run_id": run.id, "name": event.step, "status": StepStatus.RUNNING, "tries": 1, "started_at": event.ts}
        rows.append(dict.fromkeys(FIELDS) | row | {"node_id": told.get("node_id"), "type": told.get("node_type")})
    return rows
