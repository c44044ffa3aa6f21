"""An engine on a thread of its own, and what tests ask of runs; programs of the tests are registered in the tests."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import uvloop

from accounts.models import Tenant
from orchestration.engine.engine import Engine
from orchestration.models import FINAL, Run, RunEvent, Step
from orchestration.program.context import RunContext
from orchestration.program.registry import program
from orchestration.runs.commands import start_run

PATIENCE_S = 20.0
LOCK_CLASS = 0x52454745  # of the engines' advisory locks: "REGE" (orchestration/engine/sql/lease.sql)


@program("test.waits_long")
async def waits_long(ctx: RunContext) -> None:
    """Waits in memory for longer than any test."""
    await ctx.step("nap", asyncio.sleep, 60)


class EngineThread:
    """An engine that runs until it is told to stop; `call` runs a function on its loop."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.ready = threading.Event()
        self.engine: Engine
        self.loop: asyncio.AbstractEventLoop
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self.ready.wait(PATIENCE_S)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        self.loop, self.task = asyncio.get_running_loop(), asyncio.current_task()
        self.engine = Engine(**self.options)
        self.ready.set()
        await self.engine.run()

    def call(self, function: Callable[[], Any]) -> None:
        """Run it on the engine's loop, soon."""
        self.loop.call_soon_threadsafe(function)

    def long_lived(self, name: str) -> "asyncio.Task[Any]":
        """The engine's task of this name."""
        notifier = self.engine.notifier
        task = {
            "engine": self.task,
            "journal": self.engine.journal.task,
            "wake_listener": notifier.subscription.task,
            "change_publisher": notifier.publisher,
        }[name]
        assert task is not None
        return task

    def drain(self) -> None:
        """Stop claiming, let the runs end, and join."""
        if self.thread.is_alive():
            self.call(self.engine.drain)
            self.thread.join(PATIENCE_S)
            assert not self.thread.is_alive()


def until(condition: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
    """What the condition gives once it is true; fails when it never is."""
    end = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        assert time.monotonic() < end, "it did not come true in time"
        threading.Event().wait(0.01)


def start(tenant: Tenant, kind: str, input: Any = None, **more: Any) -> Run:
    """A new run."""
    return start_run(tenant_id=tenant.id, kind=kind, input=input or {}, **more)[0]


def ended(run: Run) -> Run:
    """The run, once it is final."""
    return until(lambda: Run.all_tenants.filter(pk=run.pk, status__in=FINAL).first())


def reached(run: Run, status: str) -> Run:
    """The run, once it is in this status and nobody holds it."""
    return until(lambda: Run.all_tenants.filter(pk=run.pk, status=status, owner=None).first())


def kinds(run: Run) -> list[str]:
    """The kinds of the run's events in order; their numbers are checked for gaps."""
    rows = list(RunEvent.all_tenants.filter(run_id=run.pk).order_by("seq"))
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    return [row.kind for row in rows]


def steps(run: Run) -> dict[str, Step]:
    """The run's steps by name."""
    return {row.name: row for row in Step.all_tenants.filter(run_id=run.pk)}
