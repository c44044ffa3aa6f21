"""wake(): the only line that wakes engines, by Redis and Celery. PostgreSQL is the queue; a wake that is lost costs a
poll, never a run.
"""

import logging
import threading
import time
from uuid import UUID

import orjson
import redis
from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError

from config.processes.task_supervisor import start_thread
from orchestration.pacer import WakePacer

log = logging.getLogger(__name__)
ENGINES_CHANNEL = "regente:engines"  # WAKE or NOTIFY, for the engines of all hosts
RUNS_CHANNEL = "regente:runs"  # {run id: last seq, or 0}, for those who follow runs
WAKE = b"wake"  # there is work to claim
NOTIFY = b"notify"  # a run that some engine holds has something new
BROKER_PAUSE_S = 2.0  # after a failed wake nothing is sent for so long: the engines poll meanwhile


class Waker:
    """A thread of its own publishes, so that a request never waits for Redis; the wakes of one burst become one."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None
        self.pacer = WakePacer()
        self.notify = False
        self.changed_runs: set[str] = set()
        self.wakes = 0  # since the last message; two threads may count as one

    def wake(self, notify: bool, changed_run: UUID | None) -> None:
        """Have the message sent soon."""
        self.notify = self.notify or notify
        if changed_run is not None:
            self.changed_runs.add(str(changed_run))
        self.wakes += 1
        self.event.set()
        if self.thread is None or not self.thread.is_alive():
            with self.lock:
                if self.thread is None or not self.thread.is_alive():
                    self.thread = start_thread("waker", self._run)

    def _run(self) -> None:
        client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)
        while True:
            self.event.wait()
            time.sleep(self.pacer.delay())
            self.pacer.begin()
            self.event.clear()
            self.pacer.count(self.wakes)
            self.wakes = 0
            try:
                self._publish(client)
            except (redis.RedisError, OSError, OperationalError) as fault:
                log.warning("engines cannot be woken (%s); they find work by polling", type(fault).__name__)
                time.sleep(BROKER_PAUSE_S)

    def _publish(self, client: "redis.Redis") -> None:
        notify, self.notify = self.notify, False
        run_ids, self.changed_runs = self.changed_runs, set()
        if run_ids:
            client.publish(RUNS_CHANNEL, orjson.dumps(dict.fromkeys(run_ids, 0)))
        client.publish(ENGINES_CHANNEL, NOTIFY if notify else WAKE)
        if self.pacer.is_celery_due():
            current_app.send_task("orchestration.wake", retry=False, expires=30, ignore_result=True)


_waker = Waker()


def wake(notify: bool = False, changed_run: UUID | None = None) -> None:
    """Wake the engines: there is work to claim, or (`notify`) something for a run that one holds; and those who follow
    `changed_run`.
    """
    _waker.wake(notify, changed_run)
