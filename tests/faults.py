"""Exceptions from outside in what runs for long: whatever a task waits for, or a thread does, raises one."""

import asyncio
import ctypes
import threading
from typing import Any

TEXT = "a fault of the test"
PATIENCE_S = 20.0


class Fault(Exception):
    """Raised in the middle of what does not expect it."""


def raise_in_task(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[Any]") -> None:
    """What the task waits for at present, or next, raises a Fault."""
    raised = threading.Event()

    def attempt() -> None:
        waiter = task._fut_waiter  # type: ignore[attr-defined]
        while isinstance(waiter, asyncio.Task):
            waiter = waiter._fut_waiter  # type: ignore[attr-defined]
        if waiter is None or waiter.done():
            loop.call_soon(attempt)
            return
        waiter.set_exception(Fault(TEXT))
        raised.set()

    loop.call_soon_threadsafe(attempt)
    assert raised.wait(PATIENCE_S), f"{task} waits for nothing"


def raise_in_thread(thread: threading.Thread) -> None:
    """The thread's next instruction raises a Fault."""
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(Fault)) == 1
