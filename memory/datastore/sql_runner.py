"""Running a model's SQL: by a login that can do little, one statement, bounded in rows, bytes and time.

The statement is prepared, so that there is only one of it; a read is the body of a cursor in a READ ONLY transaction.
The server turns each row into JSON and drops what is too large, so that a huge value never comes here.
statement_timeout is no wall clock, so a watchdog of ours cancels what it does not catch (RELIABILITY P10).
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal
from weakref import WeakKeyDictionary

import psycopg
from asgiref.sync import sync_to_async
from psycopg import AsyncConnection, Column, sql

from config.database.address import direct_parameters
from config.database.session import SharedSession, require_own_session_async
from config.errors import DomainError, Unavailable
from config.values.foreign_json import NotJson, clean_value, read_json, write_json
from memory.datastore.logins import STATEMENT_S, Login, make_store
from memory.models import DataStore

WALL_S = STATEMENT_S + 1.5
MAX_ROWS = 200
MAX_ROW_BYTES = 256 * 1024
MAX_ANSWER_BYTES = 2 * 1024 * 1024
FETCH_ROWS = 20
MAX_SESSIONS = 4  # at a time, of one process
MAX_NAME_BYTES = 58  # of a column whose name is numbered; PostgreSQL has 63


class SqlFailed(DomainError):
    """The database refused the statement, or it took too long."""

    status, code = 424, "SQL_FAILED"


class RowsMoved(SqlFailed):
    """The rows that the statement changes are not those any more that were reviewed."""


@dataclass(frozen=True)
class Rows:
    """What a statement answered, its columns in their order; `truncated` when there was more than may be told."""

    rows: list[dict[str, Any]]
    truncated: bool = False
    columns: list[str] = field(default_factory=list)


_gates: "WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]" = WeakKeyDictionary()


def _gate() -> asyncio.Semaphore:
    return _gates.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(MAX_SESSIONS))


async def read(store: DataStore, statement: str, staged_writes: Sequence[str] = ()) -> Rows:
    """The rows of a SELECT, as objects; SqlFailed with PostgreSQL's reason.

    With `staged` writes it sees what they would change: they are made by the writer in a transaction that is then
    read-only and never committed.
    """
    async with _session(store, "writer" if staged_writes else "reader") as connection:
        await connection.execute("BEGIN" if staged_writes else "BEGIN TRANSACTION READ ONLY")
        for earlier_write in staged_writes:
            await connection.execute(earlier_write.encode(), prepare=True)
        if staged_writes:
            await connection.execute("SET TRANSACTION READ ONLY")
        cursor = await connection.execute(f"SELECT * FROM (\n{statement}\n) AS q LIMIT 0".encode(), prepare=True)
        columns = _names(cursor.description)
        await connection.execute(_declaration(connection, statement, columns), prepare=True)
        return await _fetch(connection, columns)


def _declaration(connection: AsyncConnection, statement: str, columns: list[str]) -> bytes:
    """The cursor over the statement's rows as JSON, under these names; null for one that is too large."""
    names = sql.SQL(", ").join(sql.Identifier(column) for column in columns).as_string(connection)
    row = "q"
    while row in columns:  # the column would be taken for the row
        row += "_"
    rows = f"SELECT row_to_json({row})::text AS json FROM (\n{statement}\n) AS {row}{f'({names})' if names else ''}"
    bounded_rows = f"SELECT CASE WHEN octet_length(s.json) <= {MAX_ROW_BYTES} THEN s.json END FROM ({rows}) AS s"
    return f"DECLARE answer NO SCROLL CURSOR FOR {bounded_rows}".encode()


def _names(description: Sequence[Column] | None) -> list[str]:
    """The names of a statement's columns; of equal ones the later are numbered, or a row could not hold both."""
    names: list[str] = []
    for column in description or ():
        name, number = column.name, 2
        while name in names:
            start = column.name.encode()[:MAX_NAME_BYTES].decode(errors="ignore")
            name, number = f"{start}_{number}", number + 1
        names.append(name)
    return names


async def _fetch(connection: AsyncConnection, columns: list[str]) -> Rows:
    rows: list[dict[str, Any]] = []
    size = 0
    while len(rows) < MAX_ROWS:
        batch = await (await connection.execute(f"FETCH {FETCH_ROWS} FROM answer")).fetchall()
        for (text,) in batch:
            if text is None:
                raise SqlFailed(f"A row has more than {MAX_ROW_BYTES // 1024} KiB; select fewer or shorter columns.")
            size += len(text)
            if size > MAX_ANSWER_BYTES or len(rows) == MAX_ROWS:
                return Rows(rows, True, columns)
            rows.append(read_json(text))
        if len(batch) < FETCH_ROWS:
            break
    return Rows(rows, False, columns)


async def rehearse(
    store: DataStore, statement: str, rows_sql: str | None, earlier: Sequence[str] = ()
) -> tuple[Rows | None, Rows]:
    """(the rows that an UPDATE would change, as they are; the rows as it would make them), after the `earlier` writes.

    `rows_sql` selects them; without it (an INSERT) there are none before. Nothing stays.
    """
    async with _session(store, "writer") as connection:
        await connection.execute("BEGIN")
        for earlier_write in earlier:
            await connection.execute(earlier_write.encode(), prepare=True)
        before = await _run_statement(connection, rows_sql) if rows_sql else None
        return before, await _run_statement(connection, statement)


async def write(
    store: DataStore, statement: str, key: str | None, review: tuple[str, list[dict[str, Any]]] | None = None
) -> Rows:
    """The rows that an INSERT or UPDATE … RETURNING * made. With a key it is made once, however often it is asked for:
    the key is recorded in the same transaction. `expected`: (a SELECT, the rows it must still find), or RowsMoved.
    """
    async with _session(store, "writer") as connection:
        await connection.execute("BEGIN")
        if key is not None and (before := await _claim_key(connection, key)) is not None:
            return before
        if review is not None:
            rows = await _run_statement(connection, review[0] + " FOR UPDATE")
            if not same_rows(rows.rows, review[1]):
                raise RowsMoved
        answer = await _run_statement(connection, statement)
        if key is not None:
            answer_text = write_json(asdict(answer)).decode()
            await connection.execute("UPDATE _applied SET answer = %s WHERE key = %s", [answer_text, key])
        await connection.execute("COMMIT")
        return answer


def same_rows(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> bool:
    """Whether these are the same rows; their order means nothing."""
    one, other = (sorted(write_json(row, sort_keys=True) for row in rows) for rows in (first, second))
    return one == other


async def _run_statement(connection: AsyncConnection, statement: str) -> Rows:
    """What a statement answers, as JSON has it."""
    cursor = await connection.execute(statement.encode(), prepare=True)
    names = _names(cursor.description)
    rows = [dict(zip(names, _plain(row), strict=True)) for row in await cursor.fetchmany(MAX_ROWS)]
    return Rows(rows, cursor.rowcount > len(rows), names)


async def _claim_key(connection: AsyncConnection, key: str) -> Rows | None:
    """The recorded answer of this key, or None, and the key is then taken by this transaction."""
    claim = await connection.execute("INSERT INTO _applied (key) VALUES (%s) ON CONFLICT (key) DO NOTHING", [key])
    if claim.rowcount:
        return None
    row = await (await connection.execute("SELECT answer FROM _applied WHERE key = %s", [key])).fetchone()
    return Rows(**json.loads(row[0])) if row and row[0] else Rows([])


def _plain(row: tuple[Any, ...]) -> list[Any]:
    """The row's values as JSON has them; what has no form there, as addresses and ranges, is its text."""
    values: list[Any] = []
    for value in row:
        try:
            values.append(clean_value(value))
        except NotJson:
            values.append(str(value))
    return values


@asynccontextmanager
async def _session(store: DataStore, login_kind: Literal["reader", "writer"]) -> AsyncIterator[AsyncConnection]:
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
            raise SqlFailed("The answer, or the statement, cannot be told as JSON.") from fault
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
