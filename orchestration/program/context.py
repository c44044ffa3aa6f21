"""RunContext: all that a program may call. A replay runs the program from the top; recorded steps return what
was recorded.
"""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import orjson

from governance.budgets.budget_limits import applicable_limits, limits_of
from governance.budgets.reservations import Bill, BudgetExceeded, ReservationRequest
from orchestration.program.approvals import Question, answer_to
from orchestration.program.children import child_error
from orchestration.program.json_fragments import fragment, recordable, recorded
from orchestration.program.policy_checks import child_start
from orchestration.program.retry import ONCE, Retry, StepFailed, describe, failure, is_final
from orchestration.program.run_info import Inbox, RunInfo, StepRecord
from orchestration.program.run_writer import MAX_EVENT_OUTPUT_LENGTH, Pen, shortened
from orchestration.program.services import EngineServices
from orchestration.program.waits import CHILD_NET_S, Branches, Wait, clocked, now

TEAM_KINDS = frozenset({"team", "agent"})  # whose input tells the team that they work for


# Set within a later try of a step: what failed inside its earlier try is then no answer, and is done again.
trying_again: ContextVar[bool] = ContextVar("trying_again", default=False)


class RunContext:
    """One claimed run's way to the engine; made by the engine for each claim."""

    def __init__(self, engine: EngineServices, run: RunInfo, put_down: Callable[[], None]) -> None:
        self.engine, self.run = engine, run
        self.branches = Branches(put_down)
        self._position = max((step.position for step in run.steps.values()), default=0)
        self.pen = Pen(engine, run)
        self.taken: set[int] = set()  # signals that our waits have
        self.rows: dict[str, dict[str, Any]] = {}  # those of steps under way
        self.database = engine.database  # await it with a sync function that uses the ORM
        self.speaker = partial(engine.text_writer, run.id)  # (step) → what tells followers the pieces of an answer

    # ---- steps

    async def step(
        self,
        name: str,
        fn: Callable[..., Any],
        *args: Any,
        node_id: str | None = None,
        type: str = "step",
        input: Any = None,
        retry: Retry | None = None,
        timeout_s: float | None = None,
        pure: bool = False,
        silent: bool = False,
        notes: dict[str, Any] | None = None,
    ) -> Any:
        """The recorded result of this step, else that of `fn(*args)` (async, or sync in a thread), recorded.

        `pure`: the function only computes, so the caller need not wait for the record. `silent`: no step events.
        `notes`: what else its start says. Raises StepFailed when it fails for good; BudgetExceeded passes through.
        """
        before = self.run.steps.get(name)
        if before and before.status in ("completed", "skipped"):
            return before.output
        if before and before.status == "failed":
            if not trying_again.get():
                raise failure(name, before.error)
            before.tries = 0
        if self.engine.hands_over(self.run):
            await self.branches.hand_over(name)
        row = self.rows[name] = self.row(name, before, node_id, type, input)
        told = None if silent else {"node_id": row["node_id"], "node_type": type}
        if told and name not in self.run.started_steps:
            self.emit("step_started", told | (notes or {}), name)
        policy = retry or ONCE
        if before and before.retry_at:
            await self._nap(name, before.retry_at)
        while True:
            row["tries"] += 1
            began = time.perf_counter()
            inside = trying_again.set(trying_again.get() or row["tries"] > 1)
            try:
                await self.engine.confirm_lease()
                async with clocked(timeout_s):
                    answer = await self._call(fn, args, pure)
                written, output = recorded(answer)
            except Exception as fault:
                await self._failed_try(row, told, fault, policy, timeout_s)
                continue
            finally:
                trying_again.reset(inside)
            self.run.steps[name] = StepRecord("completed", output)
            self.rows.pop(name, None)
            await self.record(row, told, began, written, wait=not pure)
            return output

    def show_input(self, name: str, input: Any) -> None:
        """Record this as the input of the step under way: what its work is really done with."""
        if row := self.rows.get(name):
            row["input"] = fragment(input)

    def row(self, name: str, before: StepRecord | None, node_id: str | None, type: str, input: Any) -> dict[str, Any]:
        """A step's row as it begins."""
        if before:
            position = before.position
        else:
            self._position += 1
            position = self._position
        return {
            "name": name,
            "position": position,
            "node_id": node_id or name,
            "type": type,
            "input": fragment(input),
            "tries": before.tries if before else 0,
            "new": before is None,
            "started_at": time.time(),
        }

    async def _call(self, fn: Callable[..., Any], args: tuple[Any, ...], pure: bool) -> Any:
        if pure or inspect.iscoroutinefunction(fn):  # what only computes is quicker than a thread's turn
            result = fn(*args)
        else:
            result = await self.engine.in_thread(fn, *args)
        return await result if inspect.isawaitable(result) else result

    async def record(
        self, row: dict[str, Any], told: dict[str, Any] | None, began: float, output: bytes, wait: bool
    ) -> None:
        """Write the finished step with its event; a stale engine gets LeaseLost here."""
        took = round((time.perf_counter() - began) * 1000, 3)
        if told is not None:
            self.emit("step_completed", told | {"output": shortened(output), "duration_ms": took}, row["name"])
        entry = self.pen.entry()
        entry.add("steps", **row, status="completed", output=orjson.Fragment(output), finished_at=time.time())
        if self.run.deaths:
            entry.add("progress")
            self.run.deaths = 0
        if wait:
            await self.pen.flush()

    async def _failed_try(
        self, row: dict[str, Any], told: dict[str, Any] | None, fault: Exception, policy: Retry, timeout_s: float | None
    ) -> None:
        """Record the failure: returns when it is time for another try, raises when there is none."""
        if isinstance(fault, TimeoutError) and timeout_s is not None and not str(fault):
            fault = TimeoutError(f"The step took longer than {timeout_s:g} s.")
        error, error_type = describe(fault)
        told_error = (told or {"node_id": row["node_id"], "node_type": row["type"]}) | {
            "error": error[:MAX_EVENT_OUTPUT_LENGTH],
            "error_type": error_type,
        }
        again = row["tries"] < policy.max_attempts and not is_final(fault)
        if not again:
            if told is not None:
                self.emit("step_failed", told_error, row["name"])
            await self._write_try(row, "failed", error, error_type, None)
            if isinstance(fault, BudgetExceeded):
                raise fault
            raise StepFailed(row["name"], error, error_type) from fault
        delay = policy.delay(row["tries"], fault)
        self.emit("step_retried", told_error | {"tries": row["tries"], "delay_s": round(delay, 3)}, row["name"])
        until = now() + timedelta(seconds=delay)
        await self._write_try(row, "pending", error, error_type, until)
        await self._nap(row["name"], until)

    async def _write_try(
        self, row: dict[str, Any], status: str, error: str, error_type: str, retry_at: datetime | None
    ) -> None:
        """Record a failed try, here as for a replay: `pending` until the next one, `failed` for good."""
        told = {"error": error, "error_type": error_type}
        at = retry_at.timestamp() if retry_at else None
        ended = None if retry_at else time.time()
        self.pen.entry().add("steps", **row, status=status, error=fragment(told), retry_at=at, finished_at=ended)
        row["new"] = False
        self.run.steps[row["name"]] = StepRecord(status, None, told, row["tries"], retry_at, row["position"])
        await self.pen.flush()

    # ---- events and writes

    def emit(self, kind: str, payload: dict[str, Any], step: str = "") -> None:
        """Append an event; it is written with the run's next record, or by itself within the same turn of the loop."""
        self.pen.emit(kind, payload, step)

    # ---- branches, waits

    async def gather(self, *coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
        """The branches' results in order; the first failure ends the other branches and is raised."""
        if not coroutines:
            return []
        self.branches.fork(len(coroutines))
        tasks = [asyncio.create_task(self._branch(coroutine)) for coroutine in coroutines]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.branches.join()

    async def _branch(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await coroutine
        finally:
            self.branches.leave()

    async def _nap(self, step: str, until: datetime) -> None:
        """Wait for a moment that is recorded already."""
        if until > now():
            wait = Wait(step, "timer", until, asyncio.get_running_loop().create_future())
            try:
                await self.branches.park(wait)
            except TimeoutError:
                return

    async def sleep(self, name: str, seconds: float) -> None:
        """Return after this long, counted from the first time, whatever crashes in between."""
        before = self.run.steps.get(name)
        if before and before.status == "completed":
            return
        until = before.retry_at if before and before.retry_at else now() + timedelta(seconds=seconds)
        row = self.row(name, before, None, "timer", None)
        if before is None:
            await self.write_wait(row, until)
        await self._nap(name, until)
        await self.record(row, None, time.perf_counter(), recordable(None), wait=False)

    async def write_wait(self, row: dict[str, Any], until: datetime | None) -> None:
        """A wait's row stands while it waits, so that a replay knows when it began."""
        at = until.timestamp() if until else None
        self.pen.entry().add("steps", **row, status="running", retry_at=at)
        row["new"] = False
        await self.pen.flush()

    async def wait_event(self, name: str, event: str, timeout_s: float | None = None) -> Any:
        """The payload of the first event of this name that no other wait took; StepFailed when it does not come in
        time.
        """
        before = self.run.steps.get(name)
        if before and before.status == "completed":
            return before.output
        if before and before.status == "failed":
            raise failure(name, before.error)
        until = before.retry_at if before else (now() + timedelta(seconds=timeout_s) if timeout_s else None)
        row = self.row(name, before, None, "event", {"event": event})
        if before is None:
            await self.write_wait(row, until)
        signal = self._take(event)
        if signal is None:
            wait = Wait(name, "event", until, asyncio.get_running_loop().create_future(), event=event)
            try:
                signal = await self.branches.park(wait)
            except TimeoutError:
                error, kind = f"No event {event!r} came within {timeout_s or 0:g} s.", "EventTimeout"
                await self._write_try(row | {"tries": 1}, "failed", error, kind, None)
                raise StepFailed(name, error, kind) from None
        self.pen.entry().add("signals", signal=signal["id"], step=name)
        await self.record(row, None, time.perf_counter(), recordable(signal["payload"]), wait=True)
        return signal["payload"]

    def _take(self, event: str) -> dict[str, Any] | None:
        """The first signal of this name that no wait has; an inbox read before our write of that may still hold it."""
        unread = (signal for signal in self.run.inbox.signals if signal["id"] not in self.taken)
        found = next((signal for signal in unread if signal["name"] == event), None)
        if found:
            self.taken.add(found["id"])
        return found

    async def pace(self) -> None:
        """Return when the user whose run this is may make one more model call."""
        await self.engine.pace(str(self.run.created_by or self.run.tenant_id))

    async def approval(self, name: str, question: Question) -> dict[str, Any]:
        """The decision {approved: True, comment, decided_by, …}. The run is paused meanwhile; a no ends it."""
        return await answer_to(self, name, question)

    async def child(
        self,
        name: str,
        *,
        kind: str = "workflow",
        subject_id: str,
        subject_version: int | None = None,
        input: Any,
        mode: str | None = None,
        tell: Callable[[str, dict[str, Any]], tuple[str, dict[str, Any]]] | None = None,
    ) -> Any:
        """The result of a child run, started once; StepFailed when it did not complete.

        `tell`: (started | completed | failed, {id, result, …} of the child) → (kind, payload) of an event that is
        written with the record of just that.
        """
        before = self.run.steps.get(name)
        if before and before.status == "completed":
            return before.output
        if before and before.status == "failed":
            raise failure(name, before.error)
        row = self.row(name, before, None, "child", input)
        if before is None:
            own, policy = await child_start(self, name, kind, subject_id, input, mode or self.run.mode)
            child = (kind, subject_id, subject_version, input, own, policy)
            id = await self.engine.start_child(self.run, name, *child)
            if tell:
                self.emit(*tell("started", {"id": id}), name)
            await self.write_wait(row, None)
        ended = await self.child_end(name)
        if ended["status"] != "completed":
            error, error_type = child_error(f"The {kind} {subject_id}", ended)
            if tell:
                self.emit(*tell("failed", ended | {"error": error, "error_type": error_type}), name)
            await self._write_try(row | {"tries": 1}, "failed", error, error_type, None)
            if ended["failure_reason"] == "budget_exceeded":
                raise BudgetExceeded(error)
            raise StepFailed(name, error, error_type)
        if tell:
            self.emit(*tell("completed", ended), name)
        await self.record(row, None, time.perf_counter(), recordable(ended["result"]), wait=True)
        return ended["result"]

    async def child_end(self, name: str) -> dict[str, Any]:
        """The end {id, status, result, failure_reason, …} of the child that was started under this name."""
        ended = self.run.inbox.children.get(name)
        while ended is None:
            until = now() + timedelta(seconds=CHILD_NET_S)
            wait = Wait(name, "child", until, asyncio.get_running_loop().create_future())
            try:
                ended = await self.branches.park(wait)
            except TimeoutError:
                ended = (await self.engine.inbox(self.run.id)).children.get(name)
        return ended

    def deliver(self, inbox: Inbox) -> None:
        """Hand what has come in to the waits that it is for; the rest is kept for later waits."""
        self.run.inbox = inbox
        for wait in list(self.branches.waits):
            if wait.future.done():
                continue
            if wait.kind == "event" and (signal := self._take(wait.event)):
                wait.future.set_result(signal)
            elif wait.kind == "child" and (ended := inbox.children.get(wait.step)):
                wait.future.set_result(ended)
            elif wait.kind == "approval":
                asked = inbox.approvals.get(wait.step)
                if asked and asked["approved"] is not None:
                    wait.future.set_result(asked)

    # ---- money, shared reads

    @asynccontextmanager
    async def spend(self, calls: int = 1, cost_micro: int = 0, agent_id: str = "") -> AsyncIterator[Bill]:
        """Reserve before a paid call of this agent, settle after it.

        Raises BudgetExceeded, told as an event, when it would not fit.
        """
        run = self.run
        limits = await self.shared((run.tenant_id, "limits"), partial(limits_of, run.tenant_id))
        who = {"user": str(run.created_by or ""), "app": run.app_id, "agent": agent_id}
        who["team"] = run.input.get("team_id", "") if run.kind in TEAM_KINDS else ""
        wanted = ReservationRequest(
            run.tenant_id, run.id, run.budget_ids, applicable_limits(limits, who), cost_micro, calls
        )
        try:
            bill = await self.engine.reserve(run, wanted)
            for warning in bill.warnings:
                self.emit("budget_warning", warning)
        except BudgetExceeded as refusal:
            self.emit("budget_exceeded", refusal.context | {"message": refusal.message})
            raise
        try:
            yield bill
        finally:
            entry = self.pen.entry()
            if bill.hold_id:
                used = {"micro": bill.cost_micro, "calls": bill.calls}
                entry.bills.append({"hold_id": bill.hold_id, "budget_ids": bill.budget_ids, **used})
            if bill.calls or bill.cost_micro:
                usage = {"prompt": bill.prompt_tokens, "completion": bill.completion_tokens}
                entry.add("usage", micro=bill.cost_micro, calls=bill.calls, **usage)

    async def within_budget(self, agent_id: str = "") -> None:
        """Return when no limit that the run comes under is overspent; else BudgetExceeded, told as an event."""
        if self.run.budget_ids or self.run.has_limits:
            async with self.spend(calls=0, agent_id=agent_id):
                return

    async def shared(self, key: tuple[Any, ...], loader: Callable[[], Any]) -> Any:
        """The value of the sync `loader`, run in a thread (the ORM is fine there), shared by all who ask at the
        time.
        """
        return await self.engine.shared(key, loader)
