"""The engine's own connections to PostgreSQL (the ORM's stay with the web and with loader threads)."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from typing import Any

import orjson
import psycopg
from django.conf import settings
from django.db import InterfaceError, OperationalError, connections
from django.db import connection as web_connection
from psycopg import AsyncConnection
from psycopg.types.json import set_json_loads

from accounts.tenancy.tenant_model import WORKER
from config.database import roles
from config.database.address import direct_parameters
from config.database.session import SharedSession, require_own_session_async, require_own_sessions
from config.processes.backoff import Backoff
from orchestration.engine.journal.connection import EngineConnection

log = logging.getLogger(__name__)
# An engine that is frozen inside a transaction must not keep its locks, above all the claim's, from the others.
# Its statements all go by index; a plan that was made while the tables were small, and is kept, must not be another.
# They are planned once for all values: to plan a claim takes twice as long as to make it.
SERVER = {
    "timezone": "UTC",
    "idle_in_transaction_session_timeout": int(settings.ENGINE_LEASE_S * 1000),
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_bitmapscan": "off",  # it passes over all entries of rows that are gone, each time; an index scan marks them
    "tcp_keepalives_idle": 10,  # of an engine whose host is gone, the server learns from the network
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
# A transaction that was cut off while it was sent counts as active: that bound does not hold for it, this one does.
# Only what is larger than libpq's buffer (some 64 kB) is sent in several pieces.
BOUNDS_TRANSACTIONS = 170000  # the version of PostgreSQL that came with transaction_timeout
CLOSE_S = 1.0
RECONNECT = Backoff(0.1, 2.0)
PLANS_S = 2.0


async def connect() -> EngineConnection:
    """A new connection in autocommit mode, on a session of its own that sees all tenants; JSON is read by orjson."""
    connection = await EngineConnection.connect(
        **direct_parameters(), autocommit=True, application_name="regente-engine", prepare_threshold=2
    )
    try:
        await set_up(connection)
    except BaseException:
        await connection.close()
        raise
    set_json_loads(orjson.loads, connection)
    return connection


async def set_up(connection: AsyncConnection[Any]) -> None:
    """Make the session what engines and followers of runs work with; SharedSession when it is not the connection's own.

    By statements, which a pooler in session mode passes on, where it drops start-up options.
    """
    await require_own_session_async(connection, direct_parameters())
    values = dict(SERVER)
    if connection.info.server_version >= BOUNDS_TRANSACTIONS:
        values["transaction_timeout"] = int(settings.ENGINE_LEASE_S * 2000)
    statements = "; ".join(f"SET {name} = '{value}'" for name, value in values.items())
    try:
        await connection.execute(f"{statements}; SET ROLE {WORKER}".encode(), prepare=False)
    except psycopg.DatabaseError as fault:
        refusal = roles.refusal(WORKER, connection.info.user, fault.sqlstate)
        raise psycopg.OperationalError(str(refusal)) if refusal else fault from None


def require_engine_database() -> None:
    """End this process when ENGINE_DATABASE_URL gives no sessions of one's own; a database that is away may come."""
    try:
        require_own_sessions(direct_parameters())
    except SharedSession as fault:
        raise SystemExit(f"The engine refuses to start: {fault}") from None
    except psycopg.OperationalError as fault:
        log.warning("the database is not reachable yet: %s", str(fault).splitlines()[0])


def replan(connection: EngineConnection) -> list[tuple[str, list[Any]]]:
    """Once in a while, what has the plans of prepared statements made anew; mostly nothing.

    PostgreSQL keeps a plan until a table's statistics change. One that was made while a table was small reads all of
    it, which on a new database is noticed only after a minute.
    """
    if time.monotonic() - connection.planned_at > PLANS_S:
        connection.planned_at = time.monotonic()
        return [("DISCARD PLANS", [])]
    return []


def close_connections(pool: ThreadPoolExecutor, threads: int) -> None:
    """End the pool, and the ORM's connection of each of its threads (a barrier sees to it that each takes part)."""
    together = Barrier(threads)

    def close() -> None:
        connections.close_all()
        with suppress(BrokenBarrierError):
            together.wait(CLOSE_S)

    for _ in range(threads):
        pool.submit(close)
    pool.shutdown(wait=False)


class DatabaseLost(Exception):
    """PostgreSQL went away under a read, which may be made again."""


def in_loader(loader: Callable[[], Any]) -> Any:
    """The loader's value, read through the ORM in a thread; DatabaseLost when the connection broke or was not made."""
    try:
        return loader()
    except (OperationalError, InterfaceError) as fault:
        if web_connection.connection is not None and not web_connection.connection.closed:
            raise
        web_connection.close()
        raise DatabaseLost from fault
