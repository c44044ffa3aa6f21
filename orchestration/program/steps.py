"""A run's named steps: each is run once and recorded; a replay of the program gets what was recorded."""

import inspect
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import orjson

from config.values.json_types import JsonObject
from governance.budgets.reservations import BudgetExceeded
from orchestration.program.branches import Branches, now
from orchestration.program.json_fragments import encode, encode_for_replay, fragment
from orchestration.program.retry import ONCE, Retry, StepFailed, describe, failure, is_final
from orchestration.program.run_info import RunInfo, StepRecord
from orchestration.program.run_writer import MAX_EVENT_OUTPUT_BYTES, RunWriter, shorten
from orchestration.program.services import EngineServices
from orchestration.program.step_clocks import time_limit

# Set within a later try of a step: the failure of a step inside its earlier try is no result, and that step runs again.
is_retry: ContextVar[bool] = ContextVar("is_retry", default=False)


@dataclass(slots=True)
class StepRow:
    """A step under way. `silent`: it has no events of its own. `new`: the journal has no row of it yet."""

    name: str
    position: int
    node_id: str
    type: str
    input: orjson.Fragment
    tries: int
    new: bool
    started_at: float
    silent: bool

    def values(self) -> JsonObject:
        """The columns that the journal writes whatever becomes of the step."""
        return {
            "name": self.name,
            "position": self.position,
            "node_id": self.node_id,
            "type": self.type,
            "input": self.input,
            "tries": self.tries,
            "new": self.new,
            "started_at": self.started_at,
        }

    def payload(self) -> JsonObject:
        """What each of its events says of it."""
        return {"node_id": self.node_id, "node_type": self.type}


class RunSteps:
    """Runs and records the steps of one claimed run."""

    def __init__(self, engine: EngineServices, run: RunInfo, writer: RunWriter, branches: Branches) -> None:
        self._engine, self._run, self._writer, self._branches = engine, run, writer, branches
        self._position = max((step.position for step in run.steps.values()), default=0)
        self._rows: dict[str, StepRow] = {}  # of the steps under way

    async def run(
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
        notes: JsonObject | None = None,
    ) -> Any:
        """The recorded result of this step, else that of `fn(*args)` (async, or sync in a thread), recorded.

        `pure`: the function only computes, so the caller need not wait for the record. `silent`: no step events.
        `notes`: what else its start says. Raises StepFailed when it fails for good; BudgetExceeded passes through.
        """
        record = self._run.steps.get(name)
        if record and record.status in ("completed", "skipped"):
            return record.output
        if record and record.status == "failed":
            if not is_retry.get():
                raise failure(name, record.error)
            record.tries = 0
        if self._engine.hands_over(self._run):
            await self._branches.hand_over(name)
        row = self._rows[name] = self.begin(name, record, type, input, node_id=node_id, silent=silent)
        if not silent and name not in self._run.started_steps:
            self._writer.emit("step_started", row.payload() | (notes or {}), name)
        if record and record.retry_at:
            await self._branches.sleep_until(name, record.retry_at)
        return await self._repeat(row, partial(self._call, fn, args, pure), retry or ONCE, timeout_s, wait=not pure)

    def show_input(self, name: str, input: Any) -> None:
        """Record this as the input of the step under way: what its work is really done with."""
        if row := self._rows.get(name):
            row.input = fragment(input)

    def begin(
        self,
        name: str,
        record: StepRecord | None,
        type: str,
        input: Any,
        *,
        node_id: str | None = None,
        silent: bool = True,
    ) -> StepRow:
        """The row of a step that begins, or goes on from this record."""
        if record:
            position, tries = record.position, record.tries
        else:
            self._position += 1
            position, tries = self._position, 0
        return StepRow(
            name, position, node_id or name, type, fragment(input), tries, record is None, time.time(), silent
        )

    async def _repeat(
        self, row: StepRow, call: Callable[[], Awaitable[Any]], retry: Retry, timeout_s: float | None, wait: bool
    ) -> Any:
        """The result of the first try that succeeds."""
        while True:
            row.tries += 1
            started = time.perf_counter()
            token = is_retry.set(is_retry.get() or row.tries > 1)
            try:
                await self._engine.confirm_lease()
                async with time_limit(timeout_s):
                    result = await call()
                text, output = encode_for_replay(result)
            except Exception as fault:
                await self._fail_try(row, fault, retry, timeout_s)
                continue
            finally:
                is_retry.reset(token)
            self._run.steps[row.name] = StepRecord("completed", output)
            self._rows.pop(row.name, None)
            await self.complete(row, text, started, wait)
            return output

    async def _call(self, fn: Callable[..., Any], args: tuple[Any, ...], pure: bool) -> Any:
        if pure or inspect.iscoroutinefunction(fn):  # what only computes is quicker than a thread's turn
            result = fn(*args)
        else:
            result = await self._engine.in_thread(fn, *args)
        return await result if inspect.isawaitable(result) else result

    async def complete(self, row: StepRow, output: bytes, started: float, wait: bool) -> None:
        """Write the completed step with its event; an engine that has lost the run gets LeaseLost here.

        `output` is its JSON, `started` a reading of time.perf_counter().
        """
        if not row.silent:
            duration_ms = round((time.perf_counter() - started) * 1000, 3)
            payload = row.payload() | {"output": shorten(output), "duration_ms": duration_ms}
            self._writer.emit("step_completed", payload, row.name)
        entry = self._writer.entry()
        values = row.values()
        entry.add("steps", **values, status="completed", output=orjson.Fragment(output), finished_at=time.time())
        if self._run.deaths:
            entry.add("progress")
            self._run.deaths = 0
        if wait:
            await self._writer.flush()

    async def complete_wait(self, row: StepRow, output: Any, wait: bool = True) -> None:
        """The same for what a run has waited for, whose row says how long."""
        await self.complete(row, encode(output), 0.0, wait)

    async def write_wait(self, row: StepRow, until: datetime | None) -> None:
        """Write the row of a wait that begins, so that a replay knows when it did."""
        self._writer.entry().add("steps", **row.values(), status="running", retry_at=_timestamp(until))
        row.new = False
        await self._writer.flush()

    async def fail(self, row: StepRow, error: str, error_type: str) -> None:
        """Record that the step failed for good."""
        await self._write_fault(row, "failed", error, error_type, None)

    async def _fail_try(self, row: StepRow, fault: Exception, retry: Retry, timeout_s: float | None) -> None:
        """Record the failure: returns when it is time for another try, raises when there is none."""
        if isinstance(fault, TimeoutError) and timeout_s is not None and not str(fault):
            fault = TimeoutError(f"The step took longer than {timeout_s:g} s.")
        error, error_type = describe(fault)
        payload = row.payload() | {"error": error[:MAX_EVENT_OUTPUT_BYTES], "error_type": error_type}
        if row.tries >= retry.max_attempts or is_final(fault):
            if not row.silent:
                self._writer.emit("step_failed", payload, row.name)
            await self.fail(row, error, error_type)
            if isinstance(fault, BudgetExceeded):
                raise fault
            raise StepFailed(row.name, error, error_type) from fault
        delay = retry.delay(row.tries, fault)
        self._writer.emit("step_retried", payload | {"tries": row.tries, "delay_s": round(delay, 3)}, row.name)
        until = now() + timedelta(seconds=delay)
        await self._write_fault(row, "pending", error, error_type, until)
        await self._branches.sleep_until(row.name, until)

    async def _write_fault(
        self, row: StepRow, status: str, error: str, error_type: str, retry_at: datetime | None
    ) -> None:
        """Record a failed try, here as for a replay: `pending` until the next one, `failed` for good."""
        fault = {"error": error, "error_type": error_type}
        finished_at = None if retry_at else time.time()
        times = {"retry_at": _timestamp(retry_at), "finished_at": finished_at}
        self._writer.entry().add("steps", **row.values(), status=status, error=fragment(fault), **times)
        row.new = False
        self._run.steps[row.name] = StepRecord(status, None, fault, row.tries, retry_at, row.position)
        await self._writer.flush()


def _timestamp(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None
