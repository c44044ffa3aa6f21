"""A single job with all that its response shows."""

from agents.jobs.callbacks import DELIVERY_EVENT
from agents.jobs.job import CallbackState, Job, count_attempts
from agents.models import AgentJob
from config.http.fields import iso
from orchestration.models import FINAL, Run, RunEvent, Status
from orchestration.outgoing.deliveries import masked_url


def read_job(run: Run) -> Job:
    """The job of this run, with its number of attempts and the state of its callback."""
    row = AgentJob.objects.for_tenant(run.tenant_id).filter(run_id=run.id).first()
    callback = _callback_state(row) if row and row.callback_url else None
    return Job(run, row, count_attempts(run), callback)


def _callback_state(row: AgentJob) -> CallbackState:
    events = (
        RunEvent.objects.for_tenant(row.tenant_id)
        .filter(run_id=row.callback_run_id, kind=DELIVERY_EVENT)
        .order_by("seq")
    )
    run = Run.objects.for_tenant(row.tenant_id).filter(pk=row.callback_run_id).first()
    status = "waiting"
    if run and run.status in FINAL:
        status = "delivered" if run.status == Status.COMPLETED else "failed"
    return CallbackState(
        masked_url(row.callback_url), status, [{"ts": iso(event.ts)} | event.payload for event in events]
    )
