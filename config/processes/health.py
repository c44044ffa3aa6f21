"""How the product's processes are: their tasks in `/readyz`, their number and memory in `/metrics`."""

import os
import socket

import redis

from config.processes import metrics, reports
from config.processes.readiness import DEGRADED, READY, PartState, readiness_check

RECENT_S = 10.0  # for so long a restart of a task shows in /readyz


def _processes() -> list[reports.Process]:
    """The processes that report, and this one in any case."""
    try:
        others = reports.living()
    except (redis.RedisError, OSError):
        others = []
    own = (socket.gethostname(), os.getpid())
    return [
        *(one for one in others if (one.host, one.pid) != own),
        reports.Process(reports.own_kind(), *own, reports.memory_bytes(), reports.own_tasks()),
    ]


@readiness_check("tasks", asks_database=False)
def check_tasks() -> PartState:
    """No long-lived task of any process is down, or was of late."""
    processes = _processes()
    bad = [
        f"{task.name} of {process} failed {task.failed_ago_s or 0:.0f} s ago ({task.error_type}) and "
        + ("is started again" if task.down else "runs again")
        for process in processes
        for task in process.tasks
        if task.down or (task.failed_ago_s is not None and task.failed_ago_s < RECENT_S)
    ]
    problem = f"A task has failed: {'; '.join(bad)}. The log of that process has the traceback." if bad else ""
    restarts = sum(task.restarts for process in processes for task in process.tasks)
    return PartState({"task_restarts": restarts}, DEGRADED if bad else READY, problem)


@metrics.at_scrape
def families() -> list[metrics.Metric]:
    """The processes that report, and their memory, by kind."""
    count: dict[str, int] = {}
    memory: dict[str, int] = {}
    down: dict[str, int] = {}
    for process in _processes():
        count[process.kind] = count.get(process.kind, 0) + 1
        memory[process.kind] = memory.get(process.kind, 0) + process.memory_bytes
        for task in process.tasks:
            down[task.name] = down.get(task.name, 0) + task.down
    return [
        metrics.gauge("regente_processes", "Processes that report.", [({"kind": k}, n) for k, n in count.items()]),
        metrics.gauge("regente_resident_memory_bytes", "Their memory.", [({"kind": k}, n) for k, n in memory.items()]),
        metrics.gauge("regente_tasks_down", "Tasks being restarted.", [({"task": k}, n) for k, n in down.items()]),
    ]
