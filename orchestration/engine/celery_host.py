"""How a Celery worker process hosts the engine: one engine per process, on a thread and loop of its own.

Everything is made after the fork. prefork children learn of SIGTERM by the end of a pipe that the parent holds, so
that they stop claiming at once, whatever ordinary task they are in (docs/decisions/002-engine-in-celery.md).
"""

import asyncio
import contextlib
import gc
import logging
import os
import threading
from typing import Any
from uuid import uuid4

import uvloop
from celery import signals

from accounts.tenancy.tenant_model import WORKER, connect_as
from config.launch.orphans import die_with_parent
from config.processes.reports import end_reports, start_reports
from config.processes.task_supervisor import start_thread
from orchestration.engine.engine import Engine
from orchestration.engine.isolation import STOP, SolitaryProcess
from orchestration.engine.journal.connections import require_engine_database

log = logging.getLogger(__name__)
STANDSTILL_S = 60
WORKER_LIFE = uuid4().hex  # made before the fork: the processes of one worker share it, and no other worker ever has it


class Host:
    """The thread that runs this process' engine."""

    def __init__(self, drain_pipe: int | None, solitary: bool = False) -> None:
        self.pid = os.getpid()
        self.drain_pipe, self.solitary = drain_pipe, solitary
        self.loop: asyncio.AbstractEventLoop | None = None
        self.engine: Engine | None = None
        start_reports("solitary engine" if solitary else "engine")
        self.thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.thread.start()
        start_thread("engine_watchdog", self._watch)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._main())
        except BaseException:  # the process without its engine is useless: end it, Celery starts a new one
            log.exception("the engine has failed; this worker process ends")
            os._exit(70)

    async def _main(self) -> None:
        self.loop = asyncio.get_running_loop()
        isolation = None if self.solitary else SolitaryProcess()
        self.engine = Engine("" if self.solitary else WORKER_LIFE, isolation, self.solitary)
        if self.drain_pipe is not None:
            self.loop.add_reader(self.drain_pipe, self._read_drain_pipe)
        await self.engine.run()

    def _read_drain_pipe(self) -> None:
        """The parent has sent STOP, or its end is closed: a solitary process whose parent was killed goes on while
        there are suspects.
        """
        if self.drain_pipe is None or self.loop is None:
            return
        stays = self.solitary and not os.read(self.drain_pipe, len(STOP))
        self.loop.remove_reader(self.drain_pipe)
        if not stays:
            self._drain()

    def _drain(self) -> None:
        if self.engine:
            self.engine.drain()

    def _watch(self) -> None:
        """End this process when the loop stands still (a step blocks it): its lease is gone, so must it be."""
        while self.thread.is_alive():
            before = self.engine.turns if self.engine else 0
            self.thread.join(STANDSTILL_S)
            if self.engine and self.thread.is_alive() and not self.engine.draining and self.engine.turns == before:
                log.critical("the engine has stood still for %d s; this worker process ends", STANDSTILL_S)
                os._exit(70)

    def call(self, function: Any) -> None:
        """Call it on the engine's loop; nothing when that is over."""
        with contextlib.suppress(RuntimeError):
            if self.loop:
                self.loop.call_soon_threadsafe(function)

    def wake(self) -> None:
        """There is work."""
        self.call(self._wake)

    def _wake(self) -> None:
        if self.engine:
            self.engine.wake()

    def drain(self) -> None:
        """Stop claiming; runs go on."""
        self.call(self._drain)

    def join(self) -> None:
        """Return when the engine has drained."""
        self.drain()
        self.wait()

    def wait(self) -> None:
        """Return when the engine has ended."""
        self.thread.join()
        end_reports()


_host: Host | None = None
_pipe: tuple[int, int] | None = None
_parent = 0


def wake() -> None:
    """Wake this process' engine."""
    if _host is not None and _host.pid == os.getpid():
        _host.wake()


def _start(drain_pipe: int | None = None) -> None:
    global _host
    if _host is None or _host.pid != os.getpid():
        _host = Host(drain_pipe)


@signals.worker_init.connect
def prepare(sender: Any = None, **_: Any) -> None:
    """In the parent, before it forks: load what children can share, and make the pipe whose end has them drain."""
    global _pipe, _parent
    from orchestration.engine.lease import are_runs_orphaned
    from orchestration.program.registry import PRELOAD

    connect_as(WORKER)
    require_engine_database()
    if not are_runs_orphaned():  # else first things first: what is not loaded here is loaded when it is needed
        for load in PRELOAD:
            load()
    gc.freeze()
    _pipe, _parent = os.pipe(), os.getpid()


@signals.worker_process_init.connect
def start_in_child(**_: Any) -> None:
    """In a prefork child: start the engine and return. (The solo pool sends this too, without a child.)"""
    if os.getpid() == _parent:
        return
    die_with_parent(parent=_parent)
    if _pipe is not None:
        with contextlib.suppress(OSError):
            os.close(_pipe[1])
    _start(_pipe[0] if _pipe else None)


@signals.worker_ready.connect
def start_in_process(sender: Any = None, **_: Any) -> None:
    """In a worker without children (solo, threads): start the engine here."""
    if not _has_children(sender):
        _start()


@signals.worker_shutting_down.connect
def start_drain(**_: Any) -> None:
    """In the parent: closing our end has the children drain; without children, the engine itself is drained."""
    global _pipe
    if _pipe is not None:
        with contextlib.suppress(OSError):
            os.close(_pipe[1])
        _pipe = None
    if _host is not None and _host.pid == os.getpid():
        _host.drain()


@signals.worker_process_shutdown.connect
def drain_in_child(**_: Any) -> None:
    """In a prefork child: wait for the drain."""
    if _host is not None and _host.pid == os.getpid():
        _host.join()


@signals.worker_shutdown.connect
def drain_in_process(**_: Any) -> None:
    """In a worker without children: wait for the drain."""
    if _host is not None and _host.pid == os.getpid():
        _host.join()


def _has_children(sender: Any) -> bool:
    pool = getattr(sender, "pool", None)
    return bool(pool is not None and type(pool).__module__.endswith("prefork"))
