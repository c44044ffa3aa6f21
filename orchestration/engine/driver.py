"""One claimed run from its program's start to the write that ends this lease."""

import asyncio
import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings

from config.errors import DomainError
from governance.budgets.reservations import BudgetExceeded
from governance.policies.evaluation import PolicyDenied
from orchestration.program.approvals import Rejected
from orchestration.program.context import RunContext
from orchestration.program.journal_entry import LeaseLost
from orchestration.program.policy_checks import note_start, start_approved
from orchestration.program.registry import PROGRAMS
from orchestration.program.retry import StepFailed, describe
from orchestration.program.run_info import RunInfo
from orchestration.program.run_writer import shortened
from orchestration.program.waits import now

if TYPE_CHECKING:
    from orchestration.engine.held_run import Held

log = logging.getLogger(__name__)
FINAL_EVENT = {"completed": "run_completed", "failed": "run_failed", "cancelled": "run_cancelled"}


async def drive(held: "Held") -> None:
    """Run the program and write how it ended; a lost lease leaves no trace."""
    ctx, run = held.ctx, held.run
    try:
        try:
            if run.deaths:
                await ctx.engine.release(run.id)
            if not run.last_seq:  # no engine before us has come to write anything
                note_start(ctx)
            if not await _refused(held):
                await _run(held)
        except asyncio.CancelledError:
            if held.why in ("", "lost"):
                raise
            await _stopped(held)
    except LeaseLost:
        log.info("run %s went to another engine", run.id, extra=_about(run))
    except Exception:
        log.exception("run %s could not be closed; it goes back to the queue", run.id, extra=_about(run))
        ctx.engine.lose(run.id, broken=True)


async def _refused(held: "Held") -> bool:
    """Whether the run was over before its program began: cancelled, out of time, or a killer of workers."""
    ctx, run = held.ctx, held.run
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


async def _run(held: "Held") -> None:
    ctx, run = held.ctx, held.run
    if not run.last_seq:
        ctx.emit("run_started", {"kind": run.kind, "subject_id": run.subject_id, "mode": run.mode})
        if run.policy:
            ctx.emit("policy_eval", run.policy["event"])
    left = (run.deadline_at - now()).total_seconds() if run.deadline_at else None
    limit = asyncio.timeout(left)
    try:
        async with limit:
            await start_approved(ctx)
            result = await PROGRAMS[run.kind](ctx)
    except LeaseLost:
        raise
    except Rejected as refusal:
        if refusal.verdict:
            await _end(ctx, "cancelled", {"rejected": True, "comment": refusal.verdict["comment"]}, "rejected")
            return
        told = {"error": str(refusal), "error_type": "ApprovalExpired"}
        await _end(ctx, "failed", told, "approval_expired")
    except Exception as fault:
        await _fail(held, fault, out_of_time=limit.expired())
    else:
        await _end(ctx, "completed", result)


REASONS = {"TimeoutError": "timeout", "EventTimeout": "timeout", PolicyDenied.code: "policy_denied"}


async def _fail(held: "Held", fault: Exception, out_of_time: bool) -> None:
    ctx, unforeseen = held.ctx, None
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


async def _stopped(held: "Held") -> None:
    """The program was cancelled by us: for a cancel, a drain, or because the run only waits."""
    ctx = held.ctx
    if held.why == "cancel":
        await _end(ctx, "cancelled", {"cancelled": True})
    elif held.why == "drain":
        await _put_down(ctx, "running", now())
    elif held.paused:
        ctx.emit("run_paused", {"reason": "approval"})
        await _put_down(ctx, "paused", held.due)
    else:
        deadline = ctx.run.deadline_at
        await _put_down(ctx, "running", min((at for at in (held.due, deadline) if at), default=None))


async def _put_down(ctx: RunContext, status: str, due: datetime | None) -> None:
    """Give the run back: due when its first wait looks again, at once in a drain, never when only a poke can help."""
    await ctx.pen.close(
        status=status, result=None, failure_reason="", final=False, due_at=due.timestamp() if due else None
    )


async def _end(
    ctx: RunContext, status: str, result: Any, reason: str = "", unforeseen: Exception | None = None
) -> None:
    """Write the run's end; a failure leaves a line in the log, without the error's text, which may repeat inputs."""
    payload = {"result": shortened(result)} if status == "completed" else dict(result)
    ctx.emit(FINAL_EVENT[status], payload | ({"failure_reason": reason} if reason else {}))
    await ctx.pen.close(status=status, result=result, failure_reason=reason, final=True, due_at=None)
    if status == "failed":
        _log_failure(ctx.run, reason, result["error_type"], unforeseen)


def _about(run: RunInfo) -> dict[str, str | None]:
    return {"run": str(run.id), "tenant": run.tenant_id, "trace": run.trace_id or None}


def _log_failure(run: RunInfo, reason: str, error_type: str, unforeseen: Exception | None) -> None:
    """One line; with the traceback of what no step of the program has foreseen, as an error."""
    about = _about(run) | {"kind": run.kind, "reason": reason, "error_type": error_type}
    text = " ".join(f"{name}={value}" for name, value in about.items() if value and name != "run")
    level = logging.ERROR if unforeseen else logging.INFO
    log.log(level, "run %s failed: %s", run.id, text, exc_info=unforeseen, extra=about)
