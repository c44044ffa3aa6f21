"""Running a model's SQL: by a login that can do little, one statement, bounded in rows, bytes and time.

The statement is prepared, so that there is only one of it; a read is the body of a cursor in a READ ONLY transaction.
The server turns each row into JSON and drops what is too large, so that a huge value never comes here.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from psycopg import AsyncConnection, Column, sql

from config.values.foreign_json import NotJson, clean_value, read_json, write_json
from config.values.json_types import JsonObject
from memory.datastore.sql_errors import RowsMoved, SqlFailed
from memory.datastore.sql_session import open_session
from memory.models import DataStore

MAX_ROWS = 200
MAX_ROW_BYTES = 256 * 1024
MAX_ANSWER_BYTES = 2 * 1024 * 1024
FETCH_ROWS = 20
MAX_NAME_BYTES = 58  # of a column whose name is numbered; PostgreSQL has 63


@dataclass(frozen=True)
class Rows:
    """The rows of an answer, its columns in their order; `truncated` when there were more than MAX_ROWS."""

    rows: list[JsonObject]
    truncated: bool = False
    columns: list[str] = field(default_factory=list)


async def read(store: DataStore, statement: str, staged_writes: Sequence[str] = ()) -> Rows:
    """The rows of a SELECT, as objects; SqlFailed with PostgreSQL's reason.

    With `staged` writes it sees what they would change: they are made by the writer in a transaction that is then
    read-only and never committed.
    """
    async with open_session(store, "writer" if staged_writes else "reader") as connection:
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
    rows: list[JsonObject] = []
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
    async with open_session(store, "writer") as connection:
        await connection.execute("BEGIN")
        for earlier_write in earlier:
            await connection.execute(earlier_write.encode(), prepare=True)
        before = await _run_statement(connection, rows_sql) if rows_sql else None
        return before, await _run_statement(connection, statement)


async def write(
    store: DataStore, statement: str, key: str | None, review: tuple[str, list[JsonObject]] | None = None
) -> Rows:
    """The rows that an INSERT or UPDATE … RETURNING * made. With a key it is made once, however often it is called:
    the key is recorded in the same transaction. `expected`: (a SELECT, the rows it must still find), or RowsMoved.
    """
    async with open_session(store, "writer") as connection:
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


def same_rows(first: list[JsonObject], second: list[JsonObject]) -> bool:
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
