"""Long-lived tasks and threads: one that an exception ends is logged, started again within a second, and counted.

What serves all tenants runs under this supervision, so that nothing that one of them sends can stop it for good. The
states of this process' tasks are in `STATES`; config/processes/reports.py shares them with `/readyz` and `/metrics`.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from config.processes.backoff import Backoff
from config.processes.metrics import counter

log = logging.getLogger(__name__)
RESTART = Backoff(0.05, 1.0)  # so that a task that fails at once does not fill the log
STEADY_AFTER_S = 10.0  # a task that has not failed for so long is well again: its failures are counted from 1
RESTARTS = counter("regente_task_restarts", "Long-lived tasks that an exception ended, each started again.", ["task"])


@dataclass
class TaskState:
    """The instances of one task in this process."""

    name: str
    running: int = 0
    down: int = 0  # instances that wait for their next start
    restarts: int = 0
    failed_at: float | None = None  # by time.monotonic()
    error_type: str = ""  # of the last exception


STATES: dict[str, TaskState] = {}
FAILURE = threading.Event()  # set with each one, for config/processes/reports.py


class _Restarts:
    """When one instance of a task is started again."""

    def __init__(self, name: str) -> None:
        self.state = STATES.setdefault(name, TaskState(name))
        self.failures, self.failed_at = 0, -1e9

    def begin(self) -> None:
        self.state.running += 1

    def end(self) -> None:
        self.state.running -= 1

    def fail(self, error: BaseException) -> float:
        """Log and count it; the seconds until the next start."""
        state, now = self.state, time.monotonic()
        self.failures = 1 if now - self.failed_at > STEADY_AFTER_S else self.failures + 1
        self.failed_at, pause = now, RESTART.delay(self.failures)
        state.restarts += 1
        state.failed_at, state.error_type = now, type(error).__name__
        RESTARTS.labels(state.name).inc()
        FAILURE.set()
        log.error("the task %s has failed; it is started again in %.2f s", state.name, pause, exc_info=error)
        return pause


async def keep_running(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Return when `work` returns or is cancelled; an exception starts it again."""
    restarts = _Restarts(name)
    while True:
        restarts.begin()
        try:
            await work()
            return
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            failure: BaseException = error  # raised inside the task, not a cancellation of it
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            failure = error
        finally:
            restarts.end()
        pause = restarts.fail(failure)
        restarts.state.down += 1
        try:
            await asyncio.sleep(pause)
        finally:
            restarts.state.down -= 1


def start_task(name: str, work: Callable[[], Awaitable[None]]) -> "asyncio.Task[None]":
    """A supervised task on the running loop."""
    return asyncio.create_task(keep_running(name, work), name=name)


def keep_working(name: str, work: Callable[[], None]) -> None:
    """The same in a thread."""
    restarts = _Restarts(name)
    while True:
        restarts.begin()
        try:
            work()
            return
        except BaseException as error:  # a thread's exception would be lost
            failure = error
        finally:
            restarts.end()
        pause = restarts.fail(failure)
        restarts.state.down += 1
        time.sleep(pause)
        restarts.state.down -= 1


def supervise_call(name: str, work: Callable[..., float]) -> Callable[..., float]:
    """The function for a loop that is not ours, which sleeps for the seconds that it answers: after an exception until
    the next start.
    """
    restarts = _Restarts(name)
    restarts.state.running += 1

    def call(*args: Any, **options: Any) -> float:
        try:
            return work(*args, **options)
        except Exception as error:
            return restarts.fail(error)

    return call


def start_thread(name: str, work: Callable[[], None]) -> threading.Thread:
    """A supervised thread that ends with its process."""
    thread = threading.Thread(target=keep_working, args=(name, work), name=name, daemon=True)
    thread.start()
    return thread
