"""The runs that an engine holds, and how their programs are stopped."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypedDict
from uuid import UUID

from orchestration.program.context import RunContext
from orchestration.program.run_info import RunInfo

StopReason = Literal["", "put_down", "cancel", "drain", "lost"]


class RunLease(TypedDict):
    """An attempt of a run: whoever writes another one has lost it."""

    id: str
    attempt: int


@dataclass(slots=True)
class HeldRun:
    """A run that this engine holds."""

    run: RunInfo
    ctx: RunContext
    task: "asyncio.Task[None] | None" = None
    stop_reason: StopReason = ""  # why its task was cancelled
    due: datetime | None = None  # put down: when it is to be claimed again
    paused: bool = False  # put down: it waits for a person

    def stop(self, reason: StopReason) -> None:
        """Cancel the program; driver.py writes what the reason asks for. A lost lease overrules everything.

        Once the lease's last write is on its way it is too late for anything else: a run ends once.
        """
        if reason != "lost" and (self.stop_reason or self.ctx.writer.is_closed):
            return
        self.stop_reason = reason
        if self.task and not self.task.done():
            self.task.cancel()

    def lease(self) -> RunLease:
        """The attempt that this engine holds."""
        return {"id": str(self.run.id), "attempt": self.run.attempt}

    def put_down(self) -> None:
        """Stop a run that only waits, and keep until when."""
        self.due, self.paused = self.ctx.branches.due, self.ctx.branches.paused
        self.stop("put_down")


class HeldRuns(dict[UUID, HeldRun]):
    """An engine's runs by id."""

    def stop_all(self, reason: StopReason) -> None:
        """Stop each of them."""
        for held_run in list(self.values()):
            held_run.stop(reason)

    def leases(self) -> list[RunLease]:
        """What we know of holding, as lease.sql takes it."""
        return [held_run.lease() for held_run in self.values()]
