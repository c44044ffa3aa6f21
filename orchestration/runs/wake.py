"""wake(): the only line that rings Celery, debounced. PostgreSQL is the queue; a ring that is lost costs a
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

log = logging.getLogger(__name__)
DOORBELL = "regente:engines"  # Redis channel that the engines of all hosts listen on
RUNS = "regente:runs"  # Redis channel that those who follow runs listen on
MIN_INTERVAL_CELERY_S = 0.25
# A ring costs each engine a look: the more one has gathered, the longer the next waits.
MIN_INTERVAL_WAKES_S, MAX_GATHERED_WAKES = 0.004, 6
BROKEN_S = 2.0  # after a failed ring, stay quiet for so long: the engines poll meanwhile


class Doorbell:
    """A thread of its own rings, so that a request never waits for Redis; rings of one burst become one."""

    def __init__(self) -> None:
        self.bell = threading.Event()
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None
        self.poke = False
        self.changed: set[str] = set()
        self.celery_at = self.rang_at = 0.0
        self.asked = 0  # since the last ring; two threads may count as one

    def ring(self, poke: bool, changed: UUID | None) -> None:
        """Ask for a ring soon."""
        self.poke = self.poke or poke
        if changed is not None:
            self.changed.add(str(changed))
        self.asked += 1
        self.bell.set()
        if self.thread is None or not self.thread.is_alive():
            with self.lock:
                if self.thread is None or not self.thread.is_alive():
                    self.thread = start_thread("waker", self._run)

    def _run(self) -> None:
        client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)
        apart = 1
        while True:
            self.bell.wait()
            time.sleep(max(self.rang_at + MIN_INTERVAL_WAKES_S * apart - time.monotonic(), 0))
            self.rang_at = time.monotonic()
            self.bell.clear()
            apart, self.asked = max(min(self.asked, MAX_GATHERED_WAKES), 1), 0
            poke, self.poke = self.poke, False
            changed, self.changed = self.changed, set()
            try:
                if changed:
                    client.publish(RUNS, orjson.dumps(dict.fromkeys(changed, 0)))
                client.publish(DOORBELL, b"poke" if poke else b"wake")
                self._ring_celery()
            except (redis.RedisError, OSError, OperationalError) as fault:
                log.warning("the doorbell does not ring (%s); engines find work by polling", type(fault).__name__)
                time.sleep(BROKEN_S)

    def _ring_celery(self) -> None:
        if time.monotonic() - self.celery_at >= MIN_INTERVAL_CELERY_S:
            self.celery_at = time.monotonic()
            current_app.send_task("orchestration.wake", retry=False, expires=30, ignore_result=True)


_doorbell = Doorbell()


def wake(poke: bool = False, changed: UUID | None = None) -> None:
    """Ring the engines: there is work to claim, or (poke) something for a run that one holds; tell who follows
    `changed`.
    """
    _doorbell.ring(poke, changed)
