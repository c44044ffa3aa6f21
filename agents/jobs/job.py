"""A job as responses and callbacks show it: its run, and the row that some jobs have beside it."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Max

from agents.jobs.statuses import status_word
from agents.models import AgentJob
from config.values.json_types import Json, JsonObject
from orchestration.models import FINAL, Run, Status, Step


@dataclass(frozen=True)
class CallbackState:
    """Where a job calls back, and the attempts to deliver it, the oldest first."""

    url: str
    status: str  # waiting, delivered or failed
    deliveries: list[JsonObject]


@dataclass(frozen=True)
class Job:
    """`row` is None for a job without a related object and a callback; `attempts` and `callback` are set for a single
    job only, since each needs queries.
    """

    run: Run
    row: AgentJob | None = None
    attempts: int = 0
    callback: CallbackState | None = None

    @property
    def status(self) -> str:
        return status_word(self.run)

    @property
    def execution_time_ms(self) -> int | None:
        """Milliseconds from its start to its end; None before its end."""
        end = self.run.finished_at
        return round((end - (self.run.started_at or end)).total_seconds() * 1000) if end else None

    @property
    def output(self) -> Json:
        return self.run.result if self.run.status == Status.COMPLETED else None

    @property
    def error_message(self) -> str | None:
        if not self._has_error:
            return None
        return str(self._result.get("error") or ("Cancelled" if self.status == "cancelled" else "It failed."))

    @property
    def error_type(self) -> str | None:
        return self._result.get("error_type") if self._has_error else None

    @property
    def tokens(self) -> int:
        return self.run.prompt_tokens + self.run.completion_tokens

    @property
    def related_type(self) -> str | None:
        return (self.row.related_type or None) if self.row else None

    @property
    def related_id(self) -> UUID | None:
        return self.row.related_id if self.row else None

    @property
    def _has_error(self) -> bool:
        return self.run.status in (Status.FAILED, Status.CANCELLED)

    @property
    def _result(self) -> JsonObject:
        return self.run.result if isinstance(self.run.result, dict) else {}


def count_attempts(run: Run) -> int:
    """The most tries that a step of the job needed; 0 before it begins."""
    attempts = 1 if run.started_at and (run.attempt or run.status not in FINAL) else 0
    rows = Step.all_tenants.filter(run_id=run.id)
    return max(attempts, rows.aggregate(max_tries=Max("tries"))["max_tries"] or 0)
