"""Runs that harm the engine which drives them. Workers import this when WORKER_IMPORTS names it.

    python -m tests.durability.programs TENANT KIND JSON

starts such a run with this input on the product of DATA_DIR, and says its id.
"""

import asyncio
import json
import os
import sys
import threading
import urllib.request
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from orchestration.engine.journal.journal import Journal  # noqa: E402
from orchestration.engine.services import Services  # noqa: E402
from orchestration.program.context import RunContext  # noqa: E402
from orchestration.program.registry import program  # noqa: E402
from orchestration.runs.commands import start_run  # noqa: E402
from tests.faults import TEXT, Fault, raise_in_task, raise_in_thread  # noqa: E402

POISON, SABOTAGE = "durability.poison", "durability.sabotage"
THREADS = ("process_report", "waker")
TASKS = ("engine", "journal", "wake_listener", "change_publisher")


@program(POISON)
async def poison(ctx: RunContext) -> Any:
    """A step that is done, then one that ends the process."""
    await ctx.step("harmless", int)
    return await ctx.step("poison", _end_this_process, ctx.run.input["url"])


def _end_this_process(url: str) -> None:
    urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=10).close()
    os._exit(13)


@program(SABOTAGE)
async def sabotage(ctx: RunContext) -> Any:
    """Raises an exception in one of the long-lived tasks of the engine's process."""
    loop, name = asyncio.get_running_loop(), ctx.run.input["task"]
    if name in THREADS:
        thread = next(one for one in threading.enumerate() if one.name == name)
        return await ctx.step("break", raise_in_thread, thread)
    if name == "journal":  # which takes any exception of a commit for the fault of what it was to write
        return await ctx.step("break", _fail_to_publish, _engine(ctx).journal)
    notifier = _engine(ctx).notifier
    tasks = {"wake_listener": notifier.subscription.task, "change_publisher": notifier.publisher}
    main = [task for task in asyncio.all_tasks() if getattr(task.get_coro(), "__qualname__", "") == "Host._main"]
    return await ctx.step("break", raise_in_task, loop, main[0] if name == "engine" else tasks[name])


def _engine(ctx: RunContext) -> Services:
    assert isinstance(ctx.engine, Services)
    return ctx.engine


def _fail_to_publish(journal: Journal) -> None:
    """The next time that the journal tells of a commit."""
    real = journal.publish

    async def publish(*_: Any) -> None:
        journal.publish = real
        raise Fault(TEXT)

    journal.publish = publish


if __name__ == "__main__":
    run, _ = start_run(tenant_id=sys.argv[1], kind=sys.argv[2], input=json.loads(sys.argv[3]))
    print(run.id, flush=True)
    os._exit(0)  # the thread that wakes engines may still wait for Redis; the engines also poll
