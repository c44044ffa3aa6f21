"""One claimed run from its program's start to the write that ends this lease."""

import asyncio
import logging
from datetime import datetime
from typing import Any

from django.conf import settings

from config.errors import DomainError
from governance.budgets.reservations import BudgetExceeded
from governance.policies.evaluation import PolicyDenied
from orchestration.engine.held_run import HeldRun
from orchestration.program.branches import now
from orchestration.program.context import RunContext
from orchestration.program.journal_entry import LeaseLost
from orchestration.program.policy_checks import await_start_approval, record_start
from orchestration.program.registry import PROGRAMS
from orchestration.program.retry import StepFailed, describe
from orchestration.program.run_info import RunInfo
from orchestration.program.run_writer import shorten
from orchestration.program.waits.approvals import Rejected

log = logging.getLogger(__name__)
FINAL_EVENT = {"completed": "run_completed", "failed": "run_failed", "cancelled": "run_cancelled"}


async def drive(held_run: HeldRun) -> None:
    """Run the program and write how it ended; a lost lease leaves no trace."""
    ctx, run = held_run.ctx, held_run.run
    try:
        try:
            if run.deaths:
                await ctx.engine.release(run.id)
            if not run.last_seq:  # no engine before us has come to write anything
                record_start(ctx)
            if not await _end_before_start(held_run):
                await _run(held_run)
        except asyncio.CancelledError:
            if held_run.stop_reason in ("", "lost"):
                raise
            await _end_stopped_run(held_run)
    except LeaseLost:
        log.info("run %s went to another engine", run.id, extra=_log_fields(run))
    except Exception:
        log.exception("run %s could not be closed; it goes back to the queue", run.id, extra=_log_fields(run))
        ctx.engine.lose(run.id, is_broken=True)


async def _end_before_start(held_run: HeldRun) -> bool:
    """Whether the run was over before its program began: cancelled, out of time, or a killer of workers."""
    ctx, run = held_run.ctx, held_run.run
    if run.cancel_requested:
        await _end(ctx, "cancelled", {"cancelled": True})
    elif run.own_deaths >= settings.ENGINE_MAX_DEATHS:
        error = f"The worker died {run.deaths} times while it held this run, {run.held_against} times with no other."
        await _end(ctx, "failed", {"error": error, "error_type": "WorkerLost"}, "worker_lost")
    elif run.kind not in PROGRAMS:
        await _end(ctx, "failed", {"error": f"No program runs {run.kind!r}.", "error_type": "UnknownKind"}, "error")
    else:
        return False
    return True


async def _run(held_run: HeldRun) -> None:
    ctx, run = held_run.ctx, held_run.run
    if not run.last_seq:
        ctx.emit("run_started", {"kind": run.kind, "subject_id": run.subject_id, "mode": run.mode})
        if run.policy:
            ctx.emit("policy_eval", run.policy["event"])
    remaining_s = (run.deadline_at - now()).total_seconds() if run.deadline_at else None
    limit = asyncio.timeout(remaining_s)
    try:
        async with limit:
            await await_start_approval(ctx)
            result = await PROGRAMS[run.kind](ctx)
    except LeaseLost:
        raise
    except Rejected as refusal:
        if refusal.decision:
            await _end(ctx, "cancelled", {"rejected": True, "comment": refusal.decision["comment"]}, "rejected")
            return
        error = {"error": str(refusal), "error_type": "ApprovalExpired"}
        await _end(ctx, "failed", error, "approval_expired")
    except Exception as fault:
        await _fail(held_run, fault, out_of_time=limit.expired())
    else:
        await _end(ctx, "completed", result)


REASONS = {"TimeoutError": "timeout", "EventTimeout": "timeout", PolicyDenied.code: "policy_denied"}


async def _fail(held_run: HeldRun, fault: Exception, out_of_time: bool) -> None:
    ctx, unforeseen = held_run.ctx, None
    if out_of_time:
        text = "BUDGET_EXCEEDED: the run took longer than its latency_slo_ms."
        ctx.emit("budget_exceeded", {"type": "latency_exceeded", "message": text})
        fault = BudgetExceeded(text)
    if isinstance(fault, BudgetExceeded):
        reason = "budget_exceeded"
    elif isinstance(fault, StepFailed):
        reason = REASONS.get(fault.error_type, "error")
    elif isinstance(fault, DomainError):
        reason = REASONS.get(fault.code, "error")
    else:
        reason, unforeseen = "error", fault
    error, error_type = describe(fault)
    await _end(ctx, "failed", {"error": error, "error_type": error_type}, reason, unforeseen)


async def _end_stopped_run(held_run: HeldRun) -> None:
    """The program was cancelled by us: for a cancel, a drain, or because the run only waits."""
    ctx = held_run.ctx
    if held_run.stop_reason == "cancel":
        await _end(ctx, "cancelled", {"cancelled": True})
    elif held_run.stop_reason == "drain":
        await _put_down(ctx, "running", now())
    elif held_run.paused:
        ctx.emit("run_paused", {"reason": "approval"})
        await _put_down(ctx, "paused", held_run.due)
    else:
        deadline = ctx.run.deadline_at
        await _put_down(ctx, "running", min((at for at in (held_run.due, deadline) if at), default=None))


async def _put_down(ctx: RunContext, status: str, due: datetime | None) -> None:
    """Give the run back: due when its first wait ends, at once in a drain, never when only a message can help."""
    await ctx.writer.close(
        status=status, result=None, failure_reason="", final=False, due_at=due.timestamp() if due else None
    )


async def _end(
    ctx: RunContext, status: str, result: Any, reason: str = "", unforeseen: Exception | None = None
) -> None:
    """Write the run's end; a failure leaves a line in the log, without the error's text, which may repeat inputs."""
    payload = {"result": shorten(result)} if status == "completed" else dict(result)
    ctx.emit(FINAL_EVENT[status], payload | ({"failure_reason": reason} if reason else {}))
    await ctx.writer.close(status=status, result=result, failure_reason=reason, final=True, due_at=None)
    if status == "failed":
        _log_failure(ctx.run, reason, result["error_type"], unforeseen)


def _log_fields(run: RunInfo) -> dict[str, str | None]:
    return {"run": str(run.id), "tenant": run.tenant_id, "trace": run.trace_id or None}


def _log_failure(run: RunInfo, reason: str, error_type: str, unforeseen: Exception | None) -> None:
    """One line; with the traceback of what no step of the program has foreseen, as an error."""
    fields = _log_fields(run) | {"kind": run.kind, "reason": reason, "error_type": error_type}
    text = " ".join(f"{name}={value}" for name, value in fields.items() if value and name != "run")
    level = logging.ERROR if unforeseen else logging.INFO
    log.log(level, "run %s failed: %s", run.id, text, exc_info=unforeseen, extra=fields)
