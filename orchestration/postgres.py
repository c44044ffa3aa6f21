"""The engine's own connections to PostgreSQL (the ORM's stay with the web and with loader threads)."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from typing import Any

import orjson
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, connections
from psycopg.conninfo import make_conninfo
from psycopg.types.json import set_json_loads

from accounts.tenancy import WORKER
from orchestration.connection import EngineConnection

CONNECT_S = 5
# An engine that is frozen inside a transaction must not keep its locks, above all the claim's, from the others.
# Its statements all go by index; a plan that was made while the tables were small, and is kept, must not say otherwise.
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
OPTIONS = " ".join(f"-c {name}={value}" for name, value in SERVER.items())
# A transaction that was cut off while it was sent counts as active: that bound does not hold for it, this one does.
# Only what is larger than libpq's buffer (some 64 kB) is sent in several pieces.
BOUNDS_TRANSACTIONS = 170000  # the version of PostgreSQL that came with transaction_timeout
CLOSE_S = 1.0
PLANS_S = 2.0


def parameters() -> dict[str, Any]:
    """libpq's connection parameters of the default database."""
    wanted = connections["default"].settings_dict
    named = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    given = {key: wanted[setting] for key, setting in named.items() if wanted.get(setting)}
    options = {key: value for key, value in wanted["OPTIONS"].items() if key not in DJANGOS}
    return {"connect_timeout": CONNECT_S, **options, **given, "options": OPTIONS}


def seeing_all() -> dict[str, Any]:
    """The same for who works for all tenants: engines, and those who follow runs that a view has let them follow."""
    return parameters() | {"options": f"{OPTIONS} -c role={WORKER}"}


def connection_url() -> str:
    """That as libpq's connection string."""
    return make_conninfo(**seeing_all())


async def connect() -> EngineConnection:
    """A new connection in autocommit mode; JSON is read by orjson."""
    made = await EngineConnection.connect(
        **seeing_all(), autocommit=True, application_name="regente-engine", prepare_threshold=2
    )
    set_json_loads(orjson.loads, made)
    if made.info.server_version >= BOUNDS_TRANSACTIONS:
        await made.execute(f"SET transaction_timeout = {int(settings.ENGINE_LEASE_S * 2000)}")
    return made


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


# Options of Django's connections that are not libpq's.
DJANGOS = {"prepare_threshold", "pool", "server_side_binding", "isolation_level", "assume_role", "cursor_factory"}


class DatabaseLost(Exception):
    """PostgreSQL went away under a read, which may be made again."""


def in_loader(loader: Callable[[], Any]) -> Any:
    """The loader's value, read through the ORM in a thread; DatabaseLost when the connection broke or was not made."""
    try:
        return loader()
    except (OperationalError, InterfaceError) as fault:
        if connection.connection is not None and not connection.connection.closed:
            raise
        connection.close()
        raise DatabaseLost from fault
