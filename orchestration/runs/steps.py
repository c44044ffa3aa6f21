"""The steps of a run as they stand: the recorded ones, and those under way, which only the events know."""

from typing import Any

from django.db.models import QuerySet

from orchestration.models import Run, RunEvent, Status, Step, StepStatus

FIELDS = ("run_id", "name", "position", "node_id", "type", "status", "input", "output", "error", "tries",
          "started_at", "finished_at")  # fmt: skip
EMPTY = "empty_references"


def steps_of(run: Run) -> list[dict[str, Any]]:
    """Rows of FIELDS, and the references of each step that led nowhere, in the order of their starts."""
    recorded = list(
        Step.objects.for_tenant(run.tenant_id).filter(run_id=run.id).order_by("position", "name").values(*FIELDS)
    )
    if run.status in (Status.RUNNING, Status.PAUSED):
        recorded += _under_way(run, {row["name"] for row in recorded})
    told = _starts(run).filter(payload__has_key=EMPTY).values_list("step", "payload")
    empty = {step: payload[EMPTY] for step, payload in told}
    return [row | {EMPTY: empty.get(row["name"], [])} for row in recorded]


def _starts(run: Run) -> QuerySet[RunEvent]:
    rows: QuerySet[RunEvent] = RunEvent.objects.for_tenant(run.tenant_id).filter(run_id=run.id, kind="step_started")
    return rows


def _under_way(run: Run, recorded: set[str]) -> list[dict[str, Any]]:
    rows = []
    for event in _starts(run).order_by("seq").exclude(step__in=recorded):
        told = event.payload
        row = {"run_id": run.id, "name": event.step, "status": StepStatus.RUNNING, "tries": 1, "started_at": event.ts}
        rows.append(dict.fromkeys(FIELDS) | row | {"node_id": told.get("node_id"), "type": told.get("node_type")})
    return rows
