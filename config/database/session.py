"""Whether a connection has a session of PostgreSQL's to itself.

Engines need one: for what they have set, for advisory locks, for statements with names. A pooler in transaction mode
gives each transaction whichever session is free. One that gives a client a session for as long as it stays is fine.
"""

import asyncio
import time
from typing import Any

import psycopg
from psycopg import AsyncConnection, Connection, pq

from config.database.address import ConnectionParameters

PID = "SELECT pg_backend_pid()"
PROBES = 8  # a pooler may be several processes, of which each has sessions of its own
VERIFIED_S = 60.0
ADVICE = (
    "ENGINE_DATABASE_URL leads to a pooler that gives each transaction another session. Engines, streams, data stores "
    "and migrations need sessions of their own: let it name PostgreSQL itself, or a pooler in session mode."
)
_verified_at: dict[str, float] = {}  # address → when its sessions were last seen to stay with their clients


class SharedSession(psycopg.OperationalError):
    """The session is not this connection's own; the message says what to do."""


def require_own_session(connection: Connection[Any], parameters: ConnectionParameters) -> None:
    """SharedSession unless this connection's session stays its own."""
    row = connection.execute(PID).fetchone()
    if not _is_the_servers(connection, row) and not keeps_sessions(parameters):
        raise SharedSession(ADVICE)


async def require_own_session_async(connection: AsyncConnection[Any], parameters: ConnectionParameters) -> None:
    """The same on an event loop."""
    row = await (await connection.execute(PID, prepare=False)).fetchone()
    if not _is_the_servers(connection, row) and not await asyncio.to_thread(keeps_sessions, parameters):
        raise SharedSession(ADVICE)


def require_own_sessions(parameters: ConnectionParameters) -> None:
    """The same for a new connection with these parameters; psycopg.OperationalError when there is no way to it."""
    with psycopg.connect(**parameters, autocommit=True) as connection:
        require_own_session(connection, parameters)


def _is_the_servers(connection: Connection[Any] | AsyncConnection[Any], row: tuple[Any, ...] | None) -> bool:
    """Whether PostgreSQL itself greeted us: only it knows the session's number then, a pooler makes one up."""
    return row is not None and row[0] == connection.info.backend_pid


def keeps_sessions(parameters: ConnectionParameters) -> bool:
    """Whether a client of this pooler keeps its session while others begin transactions; True is known for a minute."""
    address = "\n".join(str(parameters.get(name)) for name in ("host", "port", "dbname", "user"))
    if time.monotonic() - _verified_at.get(address, float("-inf")) < VERIFIED_S:
        return True
    try:
        with psycopg.connect(**parameters, autocommit=True) as mine:
            stable = all(_stays(mine, parameters) for _ in range(PROBES))
    except psycopg.errors.ProtocolViolation:  # statement mode: no transactions at all
        return False
    if stable:
        _verified_at[address] = time.monotonic()
    return stable


def _stays(mine: Connection[Any], parameters: ConnectionParameters) -> bool:
    own_pid = mine.execute(PID).fetchone()
    with psycopg.connect(**parameters, autocommit=True) as other:
        other.execute("BEGIN")
        other_pid = other.execute(PID).fetchone()
        stays = other_pid != own_pid and mine.execute(PID).fetchone() == own_pid
        if other.info.transaction_status == pq.TransactionStatus.INTRANS:
            other.execute("ROLLBACK")
    return stays
