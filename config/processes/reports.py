"""The product's processes as they report themselves: every two seconds each writes to Redis that it lives, how its
long-lived tasks are, and what it has counted since the last time.

So `/readyz` and `/metrics` know all processes of all hosts, whichever one answers. Two hashes hold it: PROCESSES, an
entry for each process, and TOTALS, the sums of what all have counted, which outlive the processes. A process that is
killed takes at most what it counted in its last two seconds with it; a Redis that comes back empty begins at 0, as
Prometheus knows it from restarts.
"""

import atexit
import os
import socket
import threading
import time
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from uuid import uuid4

import orjson
import redis
from django.conf import settings

from config.processes import metrics, task_supervisor

PROCESSES, TOTALS = "regente:processes", "regente:counted"
INTERVAL_S = 2.0
LIFETIME_S = 10.0  # without a report for so long a process is gone
TIMEOUT_S = 0.5
# KEYS: TOTALS, PROCESSES. ARGV: the process, its report, then sample and difference in turn. Answers nothing.
REPORT = """
for i = 3, #ARGV, 2 do redis.call('HINCRBYFLOAT', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('HSET', KEYS[2], ARGV[1], redis.call('TIME')[1] .. ' ' .. ARGV[2])
"""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@cache
def _server() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)


@dataclass(frozen=True)
class TaskReport:
    """One task of a process."""

    name: str
    running: int
    down: int
    restarts: int
    failed_ago_s: float | None  # since the last failure
    error_type: str


@dataclass(frozen=True)
class Process:
    """What a process has reported; `kind` is web, engine or scheduler."""

    kind: str
    host: str
    pid: int
    memory_bytes: int
    tasks: list[TaskReport]

    def __str__(self) -> str:
        return f"the {self.kind} process {self.pid} on {self.host}"


def own_tasks() -> list[TaskReport]:
    """The tasks of this process."""
    now = time.monotonic()
    return [
        TaskReport(one.name, one.running, one.down, one.restarts, _since(one.failed_at, now), one.error_type)
        for one in list(task_supervisor.STATES.values())
    ]


def _since(at: float | None, now: float) -> float | None:
    return None if at is None else round(now - at, 1)


class Reporter:
    """Reports this process."""

    def __init__(self, kind: str) -> None:
        self.kind, self.host, self.pid = kind, socket.gethostname(), os.getpid()
        self.name = f"{kind}:{self.host}:{self.pid}:{uuid4().hex[:8]}"
        self.reported_totals = (
            metrics.local_totals()
        )  # a forked process starts with what its parent counted, and reports itself
        self.lock = threading.Lock()

    def run(self) -> None:
        """Report for ever."""
        while True:
            self.report()
            task_supervisor.FAILURE.wait(INTERVAL_S)
            task_supervisor.FAILURE.clear()

    def report(self) -> None:
        """Write to Redis; what fails is part of the next report. A report whose answer is lost counts twice."""
        with self.lock:
            totals = metrics.local_totals()
            differences = {key: value - self.reported_totals.get(key, 0.0) for key, value in totals.items()}
            # A new series is reported whole: all buckets of a histogram are there, or none.
            samples = [(key, value) for key, value in differences.items() if value or key not in self.reported_totals]
            pairs = [part for key, value in samples for part in (key, repr(value))]
            try:
                _server().eval(REPORT, 2, TOTALS, PROCESSES, self.name, self._state(), *pairs)
            except (redis.RedisError, OSError):
                return
            self.reported_totals = totals

    def _state(self) -> bytes:
        process = {"kind": self.kind, "host": self.host, "pid": self.pid, "memory_bytes": memory_bytes()}
        return orjson.dumps(process | {"tasks": own_tasks()})

    def end(self) -> None:
        """The last report, and that this process is no more."""
        self.report()
        try:
            _server().hdel(PROCESSES, self.name)
        except (redis.RedisError, OSError):
            return


_reporter: Reporter | None = None


def start_reports(kind: str) -> None:
    """Report this process, which is one of this kind, until it ends."""
    global _reporter
    _server.cache_clear()  # a forked process does not share its parent's connection
    _reporter = Reporter(kind)
    task_supervisor.start_thread("process_report", _reporter.run)
    atexit.register(end_reports)


def end_reports() -> None:
    """The last report of this process."""
    global _reporter
    if _reporter is not None and _reporter.pid == os.getpid():
        _reporter.end()
    _reporter = None


def report_now() -> None:
    """Bring the totals up to date with this process."""
    if _reporter is not None:
        _reporter.report()


def own_kind() -> str:
    """The kind that this process reports; "own" when it reports none."""
    return _reporter.kind if _reporter is not None else "own"


def living() -> list[Process]:
    """The processes that report; redis.RedisError or OSError while Redis is away."""
    return _living(*_read([PROCESSES]))


def totals() -> dict[bytes, float]:
    """What all processes have counted: sample → value."""
    _, sums = _read([TOTALS])
    return {key: float(value) for key, value in sums.items()}


def _read(hashes: list[str]) -> list[Any]:
    """Redis' time in seconds, and each of the hashes."""
    pipeline = _server().pipeline(transaction=False)
    pipeline.time()
    for name in hashes:
        pipeline.hgetall(name)
    (seconds, _), *contents = pipeline.execute()
    return [seconds, *contents]


def _living(now: int, entries: dict[bytes, bytes]) -> list[Process]:
    processes: list[Process] = []
    silent: list[str] = []
    for name, entry in entries.items():
        at, _, text = entry.partition(b" ")
        age = now - int(at)
        if age > LIFETIME_S:
            silent.append(name.decode())
            continue
        report = orjson.loads(text)
        tasks = [TaskReport(**task) for task in report.pop("tasks")]
        processes.append(
            Process(**report, tasks=[replace(task, failed_ago_s=_older(task.failed_ago_s, age)) for task in tasks])
        )
    if silent:
        _server().hdel(PROCESSES, *silent)
    return processes


def memory_bytes() -> int:
    """The resident memory of this process; 0 where there is no /proc."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * PAGE_BYTES
    except OSError:
        return 0


def _older(ago: float | None, seconds: float) -> float | None:
    return None if ago is None else ago + seconds
