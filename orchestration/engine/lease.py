"""An engine's lease on its runs: a row with its heartbeat, and a lock that is gone the moment its process is.

An engine whose row has expired, or whose session advisory lock is gone from the same PostgreSQL, is dead, and its runs
go back to the queue (sql/lease.sql has how, and what becomes of runs that see many engines die).
"""

import asyncio
import contextlib
import logging
import os
import random
import socket
import time
from collections.abc import Callable
from uuid import UUID

import orjson
import psycopg
from django.conf import settings
from django.db import Error
from django.db import connection as web_connection

from config.database.queries import load_queries
from orchestration.engine.held_run import HeldRuns, RunLease
from orchestration.engine.journal.connection import EngineConnection
from orchestration.engine.journal.connections import connect

log = logging.getLogger(__name__)
QUERIES = load_queries("orchestration.engine", "sql/lease.sql")


class Lease:
    """Register, beat, reconcile, sweep: over the connection that holds the lock, which claims go over too."""

    def __init__(self, owner: str, worker: str, slots: int, solitary: bool, runs: HeldRuns) -> None:
        self.owner, self.worker, self.slots, self.solitary = owner, worker, slots, solitary
        self.runs = runs
        self.connection: EngineConnection | None = None
        self.registered_connection: EngineConnection | None = None
        self.on_register: Callable[[], None] = lambda: None
        self.beat_at = 0.0
        self.beat_event = asyncio.Event()
        self.broken_runs: list[UUID] = []  # to be given back as if we had died
        self.lost_runs: list[RunLease] = []  # those that others took since we last registered

    async def connect(self) -> EngineConnection:
        """The connection, registered."""
        if self.connection is None or self.connection.closed:
            self.connection = await connect()
            self.beat_at = 0.0
        if self.registered_connection is not self.connection:
            await self._register(self.connection)
            self.registered_connection = self.connection
        return self.connection

    async def disconnect(self) -> None:
        """Start over with a new connection; our lock goes with the old one."""
        if self.connection is not None:
            await self.connection.close()
        self.connection = None

    async def _register(self, connection: EngineConnection) -> None:
        """Take the lock whose loss shows our death, then write our row."""
        key = random.getrandbits(31)  # noqa: S311
        await connection.execute(QUERIES["take_lock"], {"key": key})
        values = {"owner": self.owner, "key": key, "host": socket.gethostname(), "pid": os.getpid()}
        values |= {"worker": self.worker, "solitary": self.solitary}
        values |= {"slots": self.slots, "lease_s": settings.ENGINE_LEASE_S}
        sent_at = time.monotonic()
        await connection.execute(QUERIES["register"], values)
        runs, self.lost_runs = self.runs.leases() + self.lost_runs, []
        await connection.execute(QUERIES["undo_deaths"], {"owner": self.owner, "runs": _json(runs)})
        await self._reconcile(connection)
        await connection.execute(QUERIES["notify_all"], {"owner": self.owner})
        self.on_register()
        self._set_beat(sent_at)

    async def _reconcile(self, connection: EngineConnection) -> None:
        """Give back what is ours without our knowing. Claims go over this connection too, so none is under way."""
        values = {"owner": self.owner, "runs": _json(self.runs.leases()), "broken": list(self.broken_runs)}
        await connection.execute(QUERIES["reconcile"], values)

    def _set_beat(self, sent_at: float) -> None:
        self.beat_at = sent_at
        self.beat_event.set()

    def is_beat_due(self) -> bool:
        """Whether a third of the lease has passed since the last heartbeat."""
        return time.monotonic() - self.beat_at > settings.ENGINE_LEASE_S / 3

    async def beat(self, connection: EngineConnection, draining: bool) -> None:
        """One heartbeat; an engine that was taken for dead drops its runs and registers anew."""
        sent_at = time.monotonic()  # not when the answer is read: we may have been frozen in between
        values = {"owner": self.owner, "lease_s": settings.ENGINE_LEASE_S, "running": len(self.runs)}
        cursor = await connection.execute(QUERIES["beat"], values | {"draining": draining})
        if not cursor.rowcount:  # we were taken for dead: what we hold is somebody else's by now
            log.warning("engine %s was taken for dead; it lets go of %d runs", self.owner, len(self.runs))
            self.runs.stop_all("lost")
            await self._register(connection)
        else:
            self._set_beat(sent_at)
            await self._reconcile(connection)

    async def confirm(self) -> None:
        """Return once our last heartbeat is younger than a lease: what was frozen for longer must not act before it
        knows whether its runs are still its own.
        """
        while time.monotonic() - self.beat_at > settings.ENGINE_LEASE_S:
            self.beat_event.clear()
            await self.beat_event.wait()

    def lose(self, run_id: UUID, is_broken: bool) -> None:
        """A write was refused: somebody else holds the run, or (`is_broken`) it is given back as if we had died."""
        if held_run := self.runs.get(run_id):
            held_run.stop("lost")
            self.lost_runs += [] if is_broken else [held_run.lease()]
        if is_broken:
            self.broken_runs.append(run_id)

    async def give_back_broken(self, connection: EngineConnection) -> None:
        """Give back the runs that could not be closed."""
        if self.broken_runs:
            run_ids = list(self.broken_runs)
            await connection.execute(QUERIES["give_back_broken"], {"owner": self.owner, "broken": run_ids})
            del self.broken_runs[: len(run_ids)]

    async def sweep(self, connection: EngineConnection) -> None:
        """Take back the runs of dead engines."""
        await connection.execute(QUERIES["sweep"], {"lease_s": settings.ENGINE_LEASE_S})

    async def end(self) -> None:
        """Give back all runs, and take our row away."""
        with contextlib.suppress(psycopg.Error):
            connection = await self.connect()
            cursor = await connection.execute(QUERIES["give_back_all"], {"owner": self.owner})
            await connection.execute(QUERIES["unregister"], {"owner": self.owner})
            log.info("engine %s ends; %d runs given back", self.owner, cursor.rowcount)


def sweep() -> int:
    """The number of runs that were taken back from dead engines; for where there is no engine."""
    with web_connection.cursor() as cursor:
        cursor.execute(QUERIES["sweep"], {"lease_s": settings.ENGINE_LEASE_S})
        return len(cursor.fetchall())


def are_runs_orphaned() -> bool:
    """Whether runs were left behind by engines of which none lives, so that each second counts; False while PostgreSQL
    does not answer. The connection is closed: who asks is about to fork.
    """
    try:
        with web_connection.cursor() as cursor:
            cursor.execute(QUERIES["runs_are_orphaned"])
            return bool(cursor.fetchone()[0])
    except Error:
        return False
    finally:
        web_connection.close()


def _json(rows: list[RunLease]) -> str:
    return orjson.dumps(rows).decode()
