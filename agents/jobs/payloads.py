"""A job as seed 002 has it, read from its run."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Max, Q

from agents.loop.model_calls import MODEL_RETRY
from agents.models import AgentJob
from config.http.fields import iso
from config.values.json_types import JsonObject
from governance.budgets.reservations import MICRO_PER_CENT
from orchestration.models import FINAL, Run, Status, Step

TIMEOUT = "timeout"
WORDS = {Status.COMPLETED: "succeeded", Status.PAUSED: "running"}
STATUSES = ("pending", "running", "succeeded", "failed", TIMEOUT, "cancelled")


def status_word(run: Run) -> str:
    """The contract's word for the job's status."""
    if run.status == Status.FAILED and run.failure_reason == TIMEOUT:
        return TIMEOUT
    return str(WORDS.get(Status(run.status), run.status))


def status_filter(status: str) -> Q:
    """The condition for jobs of this status, a word of the contract."""
    if status == TIMEOUT:
        return Q(status=Status.FAILED, failure_reason=TIMEOUT)
    if status == Status.FAILED:
        return Q(status=Status.FAILED) & ~Q(failure_reason=TIMEOUT)
    statuses = {"succeeded": [Status.COMPLETED], "running": [Status.RUNNING, Status.PAUSED]}
    return Q(status__in=statuses.get(status, [status]))


def _milliseconds(start: datetime | None, end: datetime | None) -> int | None:
    return round((end - start).total_seconds() * 1000) if start and end else None


def list_json(run: Run) -> JsonObject:
    """A job as the list has it."""
    return {
        "id": str(run.id),
        "agent_key": run.subject_id,
        "status": status_word(run),
        "created_at": iso(run.created_at),
        "completed_at": iso(run.finished_at),
        "execution_time_ms": _milliseconds(run.started_at or run.finished_at, run.finished_at),
    }


def detail_json(run: Run, job: AgentJob | None, attempts: int | None = None) -> JsonObject:
    """A job with input and output; `job` is its row, which only jobs with a callback or a related object have."""
    result = run.result if isinstance(run.result, dict) else {}
    has_error = run.status in (Status.FAILED, Status.CANCELLED)
    return list_json(run) | {
        "input_data": run.input,
        "output_data": run.result if run.status == Status.COMPLETED else None,
        "related_type": job.related_type or None if job else None,
        "related_id": str(job.related_id) if job and job.related_id else None,
        "error_message": _error(run, result) if has_error else None,
        "error_type": result.get("error_type") if has_error else None,
        "tokens_used": run.prompt_tokens + run.completion_tokens,
        "cost_cents": round(run.cost_micro / MICRO_PER_CENT, 4),
        "attempts": attempts_of([run])[run.id] if attempts is None else attempts,
        "max_attempts": MODEL_RETRY.max_attempts,
        "tenant_id": run.tenant_id,
        "created_by": str(run.created_by) if run.created_by else None,
        "started_at": iso(run.started_at),
    }


def _error(run: Run, result: JsonObject) -> str:
    return str(result.get("error") or ("Cancelled" if run.status == Status.CANCELLED else "It failed."))


def attempts_of(runs: Iterable[Run]) -> dict[UUID, int]:
    """The number of attempts of each job: the most tries that a step of it needed; 0 before it begins."""
    attempts = {run.id: 1 if run.started_at and (run.attempt or run.status not in FINAL) else 0 for run in runs}
    rows = Step.all_tenants.filter(run_id__in=list(attempts)).values("run_id").annotate(max_tries=Max("tries"))
    for row in rows.order_by():
        attempts[row["run_id"]] = max(attempts[row["run_id"]], row["max_tries"])
    return attempts
