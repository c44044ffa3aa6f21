"""RunContext: all that a program may call. A replay runs the program from the top; recorded steps return what
was recorded.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from config.values.json_types import JsonObject
from orchestration.program.branches import Branches
from orchestration.program.money import RunMoney
from orchestration.program.run_info import RunInfo
from orchestration.program.run_writer import RunWriter
from orchestration.program.services import EngineServices
from orchestration.program.steps import RunSteps
from orchestration.program.waits.approvals import Question, await_decision
from orchestration.program.waits.children import ChildEvent, NewChild, child_end, run_child
from orchestration.program.waits.timers_and_events import RunWaits


class RunContext:
    """One claimed run's way to the engine; made by the engine for each claim.

    step(), gather(), sleep(), wait_event(), spend() and their like are the methods of its parts, called without a hop.
    """

    def __init__(self, engine: EngineServices, run: RunInfo, on_idle: Callable[[], None]) -> None:
        self.engine, self.run = engine, run
        self.writer = RunWriter(engine, run)
        self.branches = Branches(on_idle)
        self.steps = RunSteps(engine, run, self.writer, self.branches)
        self.waits = RunWaits(run, self.writer, self.branches, self.steps)
        money = RunMoney(engine, run, self.writer)

        self.step, self.show_input = self.steps.run, self.steps.show_input
        self.gather = self.branches.gather
        self.emit = self.writer.emit
        self.sleep, self.wait_event, self.deliver = self.waits.sleep, self.waits.event, self.waits.deliver
        self.spend, self.check_budget = money.spend, money.check_budget
        self.database, self.shared = engine.database, engine.shared
        self.text_writer = partial(engine.text_writer, run.id)  # (step) → what publishes the pieces of its text

    async def approval(self, name: str, question: Question) -> JsonObject:
        """The decision {approved: True, comment, decided_by, …}. The run is paused meanwhile; a no ends it."""
        return await await_decision(self, name, question)

    async def child(
        self,
        name: str,
        *,
        kind: str,
        subject_id: str,
        subject_version: int | None = None,
        input: Any,
        mode: str | None = None,
        event: ChildEvent | None = None,
    ) -> Any:
        """The result of a child run, started once; StepFailed when it did not complete.

        `event`: (started | completed | failed, {id, result, …} of the child) → (kind, payload) of an event that is
        written with the record of just that.
        """
        child = NewChild(kind, subject_id, subject_version, input, mode or self.run.mode)
        return await run_child(self, name, child, event)

    async def child_end(self, name: str) -> JsonObject:
        """The end {id, status, result, failure_reason, …} of the child that was started under this name."""
        return await child_end(self, name)

    async def pace(self) -> None:
        """Return when the user whose run this is may make one more model call."""
        await self.engine.pace(str(self.run.created_by or self.run.tenant_id))
