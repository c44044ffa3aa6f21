"""What a run wants written: rows by table, which the engine's journal commits together."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from config.database.pipeline import Row

Table = Literal[
    "starts",
    "steps",
    "usage",
    "events",
    "progress",
    "approvals",
    "approval_events",
    "approved_calls",
    "decisions",
    "signals",
]


class LeaseLost(BaseException):
    """Another engine holds the run by now: whatever this one still does with it must leave no trace.

    No Exception, so that no program can take it for a fault of its own.
    """


@dataclass(slots=True)
class Entry:
    """What one run wants written at once; `commit` ends with the transaction that has it."""

    run_id: UUID
    attempt: int
    commit: "asyncio.Future[None]"
    tables: dict[Table, list[Row]] = field(default_factory=dict)
    bills: list[Row] = field(default_factory=list)  # {hold_id, budget_ids, micro, calls} of paid calls that are over
    close: Row | None = None  # how the run ends, or is put down
    parent_id: UUID | None = None
    last_seq: int = 0  # of its events, for those who follow the run

    def add(self, table: Table, **row: Any) -> None:
        """One more row for this table, fenced by (run_id, attempt)."""
        row["run_id"], row["attempt"] = self.run_id, self.attempt
        self.tables.setdefault(table, []).append(row)
