"""What serves all tenants outlives whatever is raised in it: it is logged, started again, counted, and told."""

import ast
import asyncio
import logging
import threading
import time
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
from django.conf import settings
from django.test import Client

from accounts.models import Tenant
from config.embedded_servers import BASE_DIR
from config.processes import health, task_supervisor
from config.processes.task_supervisor import STATES, TaskState, keep_running, start_thread
from orchestration.live.change_listener import followers
from orchestration.live.text_listener import text_listener
from orchestration.program.context import RunContext
from orchestration.program.registry import program
from orchestration.program.text_stream import TextPiece
from orchestration.runs import wake
from orchestration.runs.commands import send_event
from tests.faults import TEXT, Fault, raise_in_task, raise_in_thread
from tests.front import Front
from tests.orchestration.running import EngineThread, ended, start, until

OF_ENGINES = ("engine", "journal", "wake_listener", "change_publisher")


def restarts(name: str) -> int:
    return STATES[name].restarts if name in STATES else 0


def tracebacks(caplog: pytest.LogCaptureFixture, name: str) -> int:
    """How often a failure of the task stands in the log with its traceback."""
    return sum(bool(row.exc_info and f"the task {name} has failed" in row.getMessage()) for row in caplog.records)


@program("test.one_step")
async def one_step(ctx: RunContext) -> str:
    return await ctx.step("one", lambda: "done")


def listened_to() -> bool:
    """Whether the engine is connected to Redis."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        return client.pubsub_numsub(wake.ENGINES_CHANNEL)[0][1] > 0


@pytest.mark.parametrize("name", OF_ENGINES)
def test_a_task_of_an_engine_that_fails_is_started_again_and_runs_go_on(
    engine: EngineThread, acme: Tenant, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    until(listened_to)
    before = restarts(name)
    raise_in_task(engine.loop, engine.long_lived(name))
    until(lambda: restarts(name) == before + 1 and not STATES[name].down)
    assert ended(start(acme, "test.one_step")).result == "done"
    assert tracebacks(caplog, name) == 1 and STATES[name].error_type == "Fault"


@pytest.mark.parametrize("name", ["run_change_listener", "text_listener"])
def test_a_listener_of_the_web_that_fails_listens_again(
    front: Front, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    async def listen() -> None:
        async with text_listener.follow(uuid4()):
            while not (followers.connected and text_listener.connected):
                await asyncio.sleep(0.01)

    front.call(listen())
    before = restarts(name)
    task = {one.name: one.task for one in (followers.subscription, text_listener.subscription)}[name]
    assert task is not None
    raise_in_task(front.loop, task)
    until(lambda: restarts(name) == before + 1)
    front.call(listen())  # which ends once both are heard again
    assert tracebacks(caplog, name) == 1


def test_the_thread_that_wakes_engines_outlives_a_fault(engine: EngineThread, acme: Tenant) -> None:
    wake.wake()
    thread = wake._waker.thread
    before = restarts("waker")
    assert thread is not None
    raise_in_thread(thread)
    wake.wake()
    until(lambda: restarts("waker") == before + 1)
    assert ended(start(acme, "test.one_step")).status == "completed" and wake._waker.thread is thread


def test_a_write_under_way_in_a_journal_that_fails_is_no_write_that_waits_for_ever(
    engine: EngineThread, acme: Tenant
) -> None:
    real, failed = engine.engine.journal.publish, threading.Event()

    async def publish(*what: Any) -> None:
        engine.engine.journal.publish = real
        failed.set()
        raise Fault(TEXT)

    engine.call(lambda: setattr(engine.engine.journal, "publish", publish))
    assert ended(start(acme, "test.one_step")).result == "done" and failed.is_set()


HOSTILE = ["a", "\ud83d", "\ude00", "\x00", "\ud83d\ude00", "é\udfff", "👩‍👩‍👧", "\u2028", "z"]


@program("test.writes_text")
async def writes_text(ctx: RunContext) -> str:
    """Publishes each of these pieces by itself, then waits for what a follower has received."""
    write = ctx.text_writer("text")
    for piece in HOSTILE:
        write(piece)
        await asyncio.sleep(0)
    return str(await ctx.wait_event("received", "received"))


def test_any_text_can_be_streamed(engine: EngineThread, front: Front, acme: Tenant) -> None:
    before = restarts("change_publisher")

    async def receive(run_id: UUID, end: str) -> str:
        async with text_listener.follow(run_id) as follower:
            latest = await text_listener.latest_text(run_id)
            text = latest.text if latest else ""
            while not text.endswith(end):
                await follower.wait(5)
                while follower.pieces:
                    piece = follower.pieces.popleft()
                    text = text[: piece.offset] + piece.text
                follower.is_changed = False
        return text

    run = start(acme, "test.writes_text")
    send_event(run.pk, acme.id, "received", front.call(receive(run.pk, "z")))
    assert ended(run).result == "a\ufffd\ufffd\ufffd😀é\ufffd👩‍👩‍👧\u2028z"
    assert restarts("change_publisher") == before


def test_a_piece_that_cannot_be_sent_holds_back_no_change(engine: EngineThread, front: Front, acme: Tenant) -> None:
    publisher, before = engine.engine.notifier, restarts("change_publisher")
    run_id = uuid4()

    async def told() -> None:
        with followers.follow(run_id) as changed:
            while not followers.connected:
                await asyncio.sleep(0.01)
            changed.clear()
            engine.call(publish)
            await asyncio.wait_for(changed.wait(), 20)

    def publish() -> None:
        publisher.last_seqs[str(run_id)] = 1
        publisher._publish_piece(TextPiece(run_id, object(), "v", 0, "text"))  # type: ignore[arg-type]

    front.call(told())
    assert restarts("change_publisher") == before + 1


# ---- the supervision itself


def test_a_task_that_fails_at_once_is_not_started_in_a_tight_loop() -> None:
    name, starts = f"test {uuid4()}", []

    async def fail() -> None:
        starts.append(asyncio.get_running_loop().time())
        if len(starts) < 4:
            raise Fault(TEXT)

    asyncio.run(keep_running(name, fail))
    pauses = [after - before for before, after in zip(starts, starts[1:], strict=False)]
    assert STATES[name] == TaskState(name, 0, 0, 3, STATES[name].failed_at, "Fault")
    assert all(least <= pause for least, pause in zip((0.04, 0.09, 0.19), pauses, strict=True)), pauses
    assert task_supervisor.RESTART.max_s <= 1


@pytest.mark.parametrize("fault", [SystemExit(3), asyncio.CancelledError(), RecursionError()])
def test_no_exception_of_the_work_ends_a_task(fault: BaseException) -> None:
    name, faults = f"test {uuid4()}", [fault]

    async def work() -> None:
        if faults:
            raise faults.pop()

    asyncio.run(keep_running(name, work))
    assert STATES[name].restarts == 1


def test_a_task_that_is_cancelled_ends() -> None:
    name = f"test {uuid4()}"

    async def main() -> None:
        task = task_supervisor.start_task(name, asyncio.Event().wait)  # type: ignore[arg-type]
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert STATES[name].restarts == STATES[name].running == 0


def test_a_thread_that_fails_goes_on_as_the_same_thread() -> None:
    name, seen = f"test {uuid4()}", []

    def work() -> None:
        seen.append(threading.current_thread())
        if len(seen) == 1:
            raise SystemExit(1)

    thread = start_thread(name, work)
    thread.join(20)
    assert seen == [thread, thread] and STATES[name].restarts == 1


def test_a_look_at_the_clock_that_fails_is_followed_by_the_next(caplog: pytest.LogCaptureFixture) -> None:
    """Of the scheduler, whose loop is Celery's."""
    name, faults = f"test {uuid4()}", [Fault(TEXT)]

    def tick() -> float:
        if faults:
            raise faults.pop()
        return 5.0

    call = task_supervisor.supervise_call(name, tick)
    assert [call() <= task_supervisor.RESTART.max_s, call()] == [True, 5.0]
    assert (STATES[name].restarts, tracebacks(caplog, name)) == (1, 1)


@pytest.mark.django_db
def test_readyz_names_the_task_and_its_process_and_nothing_of_the_data(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    name, again, running = f"test {uuid4()}", [False], threading.Event()

    def work() -> None:
        if not again[0]:
            again[0] = True
            raise ValueError("a tenant's secret")
        running.set()

    start_thread(name, work)
    assert running.wait(20)
    state = health.check_tasks()
    assert state.state == "degraded" and state.values["task_restarts"] >= 1
    assert f"{name} of the own process" in state.problem and "ValueError" in state.problem
    answer = Client().get("/readyz").json()
    assert name in answer["problems"]["tasks"] and "secret" not in str(answer)
    STATES[name].failed_at = time.monotonic() - health.RECENT_S - 1
    assert name not in health.check_tasks().problem


# ---- all of them

SHORT_LIVED = {  # what ends with one request, run or command, and whose exception goes to who waits for it
    "config/asgi.py": 2,
    "config/database/probe.py": 1,
    "orchestration/live/consumers.py": 1,
    "orchestration/program/branches.py": 1,
    "orchestration/live/feeds.py": 1,
    "orchestration/engine/journal/shared_reads.py": 1,
    "orchestration/engine/engine.py": 1,  # a run's: driver.py lets nothing out
    "orchestration/engine/celery_host.py": 1,  # the engine's thread: its process ends with it
    "agents/sandbox/sandboxed_command.py": 4,
}
STARTS = {"create_task", "ensure_future", "Thread", "Timer", "start_new_thread"}


def test_every_long_lived_task_and_thread_is_supervised() -> None:
    found: Counter[str] = Counter()
    for app in ("config", "accounts", "governance", "orchestration", "memory", "agents", "teams", "observability"):
        for file in (BASE_DIR / app).rglob("*.py"):
            calls = [node.func for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
            names = [call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls]
            found[str(file.relative_to(BASE_DIR))] += sum(name in STARTS for name in names)
    found -= Counter({"config/processes/task_supervisor.py": 2})
    assert dict(found) == SHORT_LIVED, (
        "start it by config/processes/task_supervisor.py, or say here why it is short-lived"
    )
