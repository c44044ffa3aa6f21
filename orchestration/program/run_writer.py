"""What one run has to write: events numbered in order, gathered with records into entries for the journal."""

import asyncio
import time
from typing import Any

import orjson

from orchestration.program.journal_entry import Entry, LeaseLost
from orchestration.program.json_fragments import fragment, recordable
from orchestration.program.run_info import RunInfo
from orchestration.program.services import EngineServices

MAX_EVENT_OUTPUT_LENGTH = 2_000  # bytes of an output that its event repeats; the step has it whole


class Pen:
    """Writes for one claimed run."""

    def __init__(self, engine: EngineServices, run: RunInfo) -> None:
        self.engine, self.run = engine, run
        self.seq = run.last_seq
        self.open: Entry | None = None  # what waits for the next write
        self.closed = False  # the write that ends this lease is on its way: nothing may follow it

    @property
    def has_limits(self) -> bool:
        """Whether something may be reserved for the run."""
        return self.run.has_limits or bool(self.run.budget_ids) or self.run.deaths > 0

    def emit(self, kind: str, payload: dict[str, Any], step: str) -> None:
        """Append an event."""
        self.seq += 1
        entry = self.entry()
        entry.add("events", seq=self.seq, kind=kind, step=step, payload=fragment(payload), ts=time.time())
        entry.last_seq = self.seq

    def entry(self) -> Entry:
        """The entry that waits for the next write. If no record takes it along, it goes out by itself in a moment."""
        if self.open is None:
            loop = asyncio.get_running_loop()
            self.open = Entry(self.run.id, self.run.attempt, loop.create_future(), parent_id=self.run.parent_id)
            loop.call_soon(self._soon, self.open)
        return self.open

    def _soon(self, entry: Entry) -> None:
        """After those who run now have had their turn."""
        if self.open is entry:
            asyncio.get_running_loop().call_soon(lambda: self.flush() if self.open is entry else None)

    def flush(self) -> "asyncio.Future[None]":
        """Hand the entry to the journal; the future ends with its commit."""
        entry, self.open = self.entry(), None
        entry.commit.add_done_callback(self._noted)
        return self.engine.write(entry)

    def _noted(self, done: "asyncio.Future[None]") -> None:
        fault = done.exception() if not done.cancelled() else None
        if fault is not None:
            self.engine.lose(self.run.id, broken=not isinstance(fault, LeaseLost))

    async def close(self, **row: Any) -> None:
        """Write the run's end, or that it is put down."""
        entry = self.entry()
        self.closed = True
        entry.close = {"run_id": self.run.id, "attempt": self.run.attempt, "has_limits": self.has_limits} | row
        entry.close["result"] = fragment(row["result"])
        await self.flush()


def shortened(value: Any) -> Any:
    """What an event repeats of an output or result (JSON bytes are taken as such): all of it, or how it begins when
    it is long; the step has it whole.
    """
    text = value if isinstance(value, bytes) else recordable(value)
    if len(text) <= MAX_EVENT_OUTPUT_LENGTH:
        return orjson.Fragment(text)
    return {"truncated": True, "begins": text[:MAX_EVENT_OUTPUT_LENGTH].decode(errors="ignore")}
