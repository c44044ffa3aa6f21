"""The steps of a run as they stand: the recorded ones, and those under way, which only the events know."""

from django.db.models import QuerySet

from config.values.json_types import JsonObject
from orchestration.models import Run, RunEvent, Status, Step, StepStatus

FIELDS = ("run_id", "name", "position", "node_id", "type", "status", "input", "output", "error", "tries",
          "started_at", "finished_at")  # fmt: skip
EMPTY = "empty_references"


def steps_of(run: Run) -> list[JsonObject]:
    """Rows of FIELDS, and the references of each step that led nowhere, in the order of their starts."""
    steps = Step.objects.for_tenant(run.tenant_id).filter(run_id=run.id)
    rows: list[JsonObject] = list(steps.order_by("position", "name").values(*FIELDS))
    if run.status in (Status.RUNNING, Status.PAUSED):
        rows += _under_way(run, {row["name"] for row in rows})
    starts = _starts(run).filter(payload__has_key=EMPTY).values_list("step", "payload")
    empty = {step: payload[EMPTY] for step, payload in starts}
    return [row | {EMPTY: empty.get(row["name"], [])} for row in rows]


def _starts(run: Run) -> QuerySet[RunEvent]:
    rows: QuerySet[RunEvent] = RunEvent.objects.for_tenant(run.tenant_id).filter(run_id=run.id, kind="step_started")
    return rows


def _under_way(run: Run, names: set[str]) -> list[JsonObject]:
    """Rows of the steps that have started, but for those of these names, which are recorded."""
    rows = []
    for event in _starts(run).order_by("seq").exclude(step__in=names):
        node = {"node_id": event.payload.get("node_id"), "type": event.payload.get("node_type")}
        row = {"run_id": run.id, "name": event.step, "status": StepStatus.RUNNING, "tries": 1, "started_at": event.ts}
        rows.append(dict.fromkeys(FIELDS) | row | node)
    return rows
