"""What one run has to write: events numbered in order, gathered with records into entries for the journal."""

import asyncio
import time
from typing import Any

import orjson

from config.values.json_types import JsonObject
from orchestration.kinds import subject_of
from orchestration.program.journal_entry import Entry, LeaseLost
from orchestration.program.json_fragments import encode, fragment
from orchestration.program.run_info import RunInfo
from orchestration.program.services import EngineServices

MAX_EVENT_OUTPUT_BYTES = 2_000  # of an output that its event repeats: streams carry events, the step has it whole


class RunWriter:
    """Writes for one claimed run."""

    def __init__(self, engine: EngineServices, run: RunInfo) -> None:
        self._engine, self._run = engine, run
        self._seq = run.last_seq
        self._entry: Entry | None = None  # what waits for the next write
        self.is_closed = False  # the write that ends this lease is on its way: nothing may follow it

    def emit(self, kind: str, payload: JsonObject, step: str = "") -> None:
        """Append an event; it is written with the run's next record, or by itself within the same turn of the loop."""
        self._seq += 1
        entry = self.entry()
        entry.add("events", seq=self._seq, kind=kind, step=step, payload=fragment(payload), ts=time.time())
        entry.last_seq = self._seq

    def entry(self) -> Entry:
        """The entry that waits for the next write. If no record takes it along, it goes out by itself in a moment."""
        if self._entry is None:
            loop = asyncio.get_running_loop()
            self._entry = Entry(self._run.id, self._run.attempt, loop.create_future(), parent_id=self._run.parent_id)
            loop.call_soon(self._flush_soon, self._entry)
        return self._entry

    def _flush_soon(self, entry: Entry) -> None:
        """After those who run now have had their turn."""
        if self._entry is entry:
            asyncio.get_running_loop().call_soon(lambda: self.flush() if self._entry is entry else None)

    def flush(self) -> "asyncio.Future[None]":
        """Hand the entry to the journal; the future ends with its commit."""
        entry, self._entry = self.entry(), None
        entry.commit.add_done_callback(self._check_commit)
        return self._engine.write(entry)

    def _check_commit(self, commit: "asyncio.Future[None]") -> None:
        fault = commit.exception() if not commit.cancelled() else None
        if fault is not None:
            self._engine.lose(self._run.id, is_broken=not isinstance(fault, LeaseLost))

    async def close(self, **row: Any) -> None:
        """Write the run's end, or that it is put down."""
        run, entry = self._run, self.entry()
        self.is_closed = True
        has_limits = run.has_limits or bool(run.budget_ids) or run.deaths > 0  # something may be reserved for it
        entry.close = {"run_id": run.id, "attempt": run.attempt, "has_limits": has_limits} | row
        entry.close["result"] = fragment(row["result"])
        entry.close["agent_id"] = subject_of(run.kind, run.subject_id, "agent")
        await self.flush()


def shorten(value: Any) -> Any:
    """What an event repeats of an output or result (bytes are its JSON): all of it, or its beginning when it is long;
    the step has it whole.
    """
    text = value if isinstance(value, bytes) else encode(value)
    if len(text) <= MAX_EVENT_OUTPUT_BYTES:
        return orjson.Fragment(text)
    return {"truncated": True, "begins": text[:MAX_EVENT_OUTPUT_BYTES].decode(errors="ignore")}
