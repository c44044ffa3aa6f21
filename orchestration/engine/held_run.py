"""A run that an engine holds, and how its program is stopped."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from orchestration.program.context import RunContext
from orchestration.program.run_info import RunInfo


@dataclass(slots=True)
class Held:
    """A run that this engine holds."""

    run: RunInfo
    ctx: RunContext
    task: "asyncio.Task[None] | None" = None
    why: str = ""  # why its task was cancelled: put_down, cancel, drain, lost
    due: datetime | None = None  # put down: when it is to be claimed again
    paused: bool = False  # put down: it waits for a person

    def stop(self, why: str) -> None:
        """Cancel the program; drive.py writes what `why` asks for. A lost lease overrules everything.

        Once the lease's last write is on its way it is too late for anything else: a run ends once.
        """
        if why != "lost" and (self.why or self.ctx.pen.closed):
            return
        self.why = why
        if self.task and not self.task.done():
            self.task.cancel()
