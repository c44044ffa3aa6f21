"""How a run waits for a moment or for an event, and how what has come in reaches its waits."""

from datetime import timedelta
from typing import Any

from config.values.json_types import JsonObject
from orchestration.program.branches import Branches, Wait, now
from orchestration.program.retry import StepFailed, failure
from orchestration.program.run_info import Inbox, RunInfo
from orchestration.program.run_writer import RunWriter
from orchestration.program.steps import RunSteps


class RunWaits:
    """The waits of one claimed run; each is recorded as a step, so that a replay goes on with it."""

    def __init__(self, run: RunInfo, writer: RunWriter, branches: Branches, steps: RunSteps) -> None:
        self._run, self._writer, self._branches, self._steps = run, writer, branches, steps
        self._signal_ids: set[int] = set()  # of the signals that our waits have

    async def sleep(self, name: str, seconds: float) -> None:
        """Return after this long, counted from the first time, whatever crashes in between."""
        record = self._run.steps.get(name)
        if record and record.status == "completed":
            return
        until = record.retry_at if record and record.retry_at else now() + timedelta(seconds=seconds)
        row = self._steps.begin(name, record, "timer", None)
        if record is None:
            await self._steps.write_wait(row, until)
        await self._branches.sleep_until(name, until)
        await self._steps.complete_wait(row, None, wait=False)

    async def event(self, name: str, event: str, timeout_s: float | None = None) -> Any:
        """The payload of the first event of this name that no other wait has; StepFailed when none comes in time."""
        record = self._run.steps.get(name)
        if record and record.status == "completed":
            return record.output
        if record and record.status == "failed":
            raise failure(name, record.error)
        until = record.retry_at if record else (now() + timedelta(seconds=timeout_s) if timeout_s else None)
        row = self._steps.begin(name, record, "event", {"event": event})
        if record is None:
            await self._steps.write_wait(row, until)
        signal = self._consume(event)
        if signal is None:
            try:
                signal = await self._branches.wait(Wait(name, "event", until, event=event))
            except TimeoutError:
                row.tries, error = 1, f"No event {event!r} came within {timeout_s or 0:g} s."
                await self._steps.fail(row, error, "EventTimeout")
                raise StepFailed(name, error, "EventTimeout") from None
        self._writer.entry().add("signals", signal=signal["id"], step=name)
        await self._steps.complete_wait(row, signal["payload"])
        return signal["payload"]

    def deliver(self, inbox: Inbox) -> None:
        """Give the waits what has come in for them; the rest is kept for later waits."""
        self._run.inbox = inbox
        for wait in list(self._branches.waits):
            if not wait.future.done() and (result := self._result(wait)) is not None:
                wait.future.set_result(result)

    def _result(self, wait: Wait) -> JsonObject | None:
        """What this wait is for, once it is there."""
        if wait.kind == "event":
            return self._consume(wait.event)
        if wait.kind == "child":
            return self._run.inbox.children.get(wait.step)
        if wait.kind == "approval":
            approval = self._run.inbox.approvals.get(wait.step)
            return approval if approval and approval["approved"] is not None else None
        return None

    def _consume(self, event: str) -> JsonObject | None:
        """The first signal of this name that no wait has; an inbox read before our write of that may still hold it."""
        for signal in self._run.inbox.signals:
            if signal["name"] == event and signal["id"] not in self._signal_ids:
                self._signal_ids.add(signal["id"])
                return signal
        return None
