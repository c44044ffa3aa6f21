"""A session of a tenant's reader or writer login, bounded in time.

statement_timeout is no wall clock, so a watchdog of ours cancels what it does not catch (RELIABILITY P10).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal
from weakref import WeakKeyDictionary

import psycopg
from asgiref.sync import sync_to_async
from psycopg import AsyncConnection

from config.database.address import direct_parameters
from config.database.session import SharedSession, require_own_session_async
from config.errors import Unavailable
from memory.datastore.logins import STATEMENT_S, Login, make_store
from memory.datastore.sql_errors import SqlFailed
from memory.models import DataStore

WALL_S = STATEMENT_S + 1.5
MAX_SESSIONS = 4  # at a time, of one process
_gates: "WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]" = WeakKeyDictionary()


def _gate() -> asyncio.Semaphore:
    return _gates.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(MAX_SESSIONS))


@asynccontextmanager
async def open_session(store: DataStore, login_kind: Literal["reader", "writer"]) -> AsyncIterator[AsyncConnection]:
    """A connection of this login, gone afterwards; whatever PostgreSQL complains of is SqlFailed."""
    async with _gate():
        connection = await _connect(store, Login(store.reader if login_kind == "reader" else store.writer))
        try:
            async with asyncio.timeout(WALL_S):
                yield connection
        except TimeoutError:
            await _cancel(connection)
            raise SqlFailed(f"The statement took longer than {STATEMENT_S} s.") from None
        except psycopg.errors.QueryCanceled:
            raise SqlFailed(f"The statement took longer than {STATEMENT_S} s.") from None
        except ValueError as fault:  # half a character, or a number that JSON cannot have
            raise SqlFailed("The answer, or the statement, cannot be written as JSON.") from fault
        except psycopg.Error as fault:
            if connection.broken:
                raise Unavailable("The database went away; try again shortly.") from None
            raise SqlFailed(f"PostgreSQL refused the statement: {_reason(fault)}") from None
        finally:
            await connection.close()


def _reason(fault: psycopg.Error) -> str:
    text = fault.diag.message_primary or str(fault)
    return " ".join(text.split())[:300]


async def _cancel(connection: AsyncConnection) -> None:
    try:
        await connection.cancel_safe(timeout=2)
    except psycopg.Error:
        return


async def _connect(store: DataStore, login: Login) -> AsyncConnection:
    """A connection; when the password is an old key's, the logins are made anew first."""
    for again in (False, True):
        parameters = direct_parameters() | {"user": login.role, "password": login.password}
        try:
            connection = await AsyncConnection.connect(**parameters, autocommit=True, application_name="regente-data")
            break
        except psycopg.OperationalError as fault:
            reason = str(fault)
            if again or not ("password authentication" in reason or "does not exist" in reason):
                line = reason.splitlines()[0][:200]
                raise Unavailable(f"The tenant's data store cannot be reached: {line}") from None
            await sync_to_async(make_store)(store.tenant_id)
    try:
        await _require_login(connection, login, parameters)
    except BaseException:
        await connection.close()
        raise
    return connection


async def _require_login(connection: AsyncConnection, login: Login, parameters: dict[str, Any]) -> None:
    """Unavailable unless PostgreSQL itself knows this session as the login's: a pooler may log in as somebody else."""
    try:
        await require_own_session_async(connection, parameters)
        cursor = await connection.execute(b"SET timezone = 'UTC'; SELECT session_user, current_user", prepare=False)
        cursor.nextset()
        row = await cursor.fetchone()
    except SharedSession as fault:
        raise Unavailable(f"The tenant's data store cannot be reached: {fault}") from None
    except psycopg.Error:
        raise Unavailable("The database went away; try again shortly.") from None
    if row != (login.role, login.role):
        raise Unavailable(
            "The tenant's data store cannot be reached: what stands at ENGINE_DATABASE_URL logs everybody in as "
            f"{row and row[0]}. Let it name PostgreSQL itself."
        )
