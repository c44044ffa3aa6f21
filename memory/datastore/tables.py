"""Making, filling, listing and dropping the tables of a tenant's data store."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from psycopg import DataError, sql

from accounts.tenancy import as_owner
from config.errors import Conflict, Invalid, NotFound
from memory.datastore.inference import NAME, Column, Guess, columns_of, converted
from memory.datastore.roles import LEDGER, VIEWS, ensure_store, find_store, grant_table
from memory.models import DataStore

RESERVED = frozenset({"runs", "steps", "events", "workflows"})  # the platform's views
TABLES_MOST = 500
MODES = ("create", "append", "replace")
KINDS = {
    "bigint": "integer",
    "double precision": "number",
    "boolean": "boolean",
    "date": "date",
    "timestamp with time zone": "timestamp",
    "timestamptz": "timestamp",
    "jsonb": "json",
    "text": "text",
}


class TableNotFound(NotFound):
    """There is no such table."""


@dataclass(frozen=True)
class Table:
    """A table as it is: its columns as (name, PostgreSQL's type)."""

    name: str
    columns: list[tuple[str, str]]
    rows: int

    def json(self) -> dict[str, Any]:
        """As routes answer it."""
        columns = [{"name": name, "type": KINDS.get(type, type)} for name, type in self.columns]
        return {"name": self.name, "columns": columns, "rows": self.rows}


def checked_name(name: str) -> str:
    """The name, when a table may have it."""
    if not NAME.fullmatch(name):
        raise Invalid({"name": ["Must match [a-z_][a-z0-9_]{0,62}: small letters, digits and _."]})
    if name in RESERVED or name == LEDGER or name.startswith("pg_"):
        raise Invalid({"name": [f"{name} is a name of the platform's or of PostgreSQL's own; choose another."]})
    return name


def load_table(
    tenant_id: str,
    name: str,
    rows: Iterable[dict[str, Any]],
    mode: str,
    from_text: bool,
    columns: list[Column] | None = None,
) -> Table:
    """The table with these rows in it: made, replaced, or appended to; on any fault nothing has changed.

    `from_text`: the values are texts, as a CSV has them, and are read as what they look like. `columns`: those of a new
    table, when somebody has looked at more rows than these.
    """
    name, rows = checked_name(name), list(rows)
    store = ensure_store(tenant_id)
    with transaction.atomic(), as_owner(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"{store.schema}.{name}"])
        known = _columns(cursor, store, name)
        if known and mode == "create":
            raise Conflict(f"There is a table {name!r} already; send mode append or replace.", name=name)
        if known and mode == "append":
            columns = _matching(rows, known)
        else:
            columns = columns or guessed(rows, from_text)
            _make(cursor, store, name, columns)
        _fill(cursor, store, name, columns, rows, from_text)
        return _table(cursor, store, name)


def guessed(rows: Iterable[dict[str, Any]], from_text: bool) -> list[Column]:
    """The columns that these rows need, each of the narrowest type that all its values fit."""
    guesses: dict[str, Guess] = {}
    for row in rows:
        for key, value in row.items():
            guesses.setdefault(key, Guess(from_text)).see(value)
    if not guesses:
        raise Invalid({"rows": ["Send at least one row with at least one column."]})
    columns = columns_of(guesses)
    for column in columns:
        column.type = guesses[column.key].type
    return columns


def _matching(rows: list[dict[str, Any]], known: list[tuple[str, str]]) -> list[Column]:
    """The table's columns for the rows' keys; Invalid naming those that it does not have."""
    types = dict(known)
    columns = columns_of(dict.fromkeys(key for row in rows for key in row))
    missing = [column.key for column in columns if column.name not in types]
    if missing:
        raise Invalid({"rows": [f"The table has no column {', '.join(missing)}; it has {', '.join(types)}."]})
    for column in columns:
        column.type = types[column.name].replace("timestamp with time zone", "timestamptz")
    return columns


def _make(cursor: Any, store: DataStore, name: str, columns: list[Column]) -> None:
    table = sql.Identifier(store.schema, name)
    cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
    cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = %s", [store.schema])
    if cursor.fetchone()[0] > TABLES_MOST:
        raise Conflict(f"There are {TABLES_MOST} tables already; drop some first.")
    parts = [sql.SQL("{} " + column.type).format(sql.Identifier(column.name)) for column in columns]
    cursor.execute(sql.SQL("CREATE TABLE {} ({})").format(table, sql.SQL(", ").join(parts)))
    grant_table(cursor, store, name)


def _fill(
    cursor: Any, store: DataStore, name: str, columns: list[Column], rows: list[dict[str, Any]], from_text: bool
) -> None:
    """COPY the rows in; Invalid naming the row and column of a value that does not fit."""
    if not columns:
        return
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
    copying = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(store.schema, name), names)
    try:
        with transaction.atomic(), cursor.copy(copying) as copy:
            for number, row in enumerate(rows):
                copy.write_row([_value(row, column, number, from_text) for column in columns])
    except DataError as fault:
        raise Invalid({"rows": [f"The values do not fit the columns: {str(fault).splitlines()[0]}."]}) from None


def _value(row: dict[str, Any], column: Column, number: int, from_text: bool) -> Any:
    try:
        return converted(row.get(column.key), column.type, from_text)
    except (ValueError, TypeError, OverflowError):
        kind = KINDS.get(column.type, column.type)
        raise Invalid(
            {f"rows[{number}].{column.key}": [f"Does not fit the column, which is of type {kind}."]}
        ) from None


def _columns(cursor: Any, store: DataStore, name: str) -> list[tuple[str, str]]:
    cursor.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"
        " ORDER BY ordinal_position",
        [store.schema, name],
    )
    return list(cursor.fetchall())


def _table(cursor: Any, store: DataStore, name: str) -> Table:
    cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(store.schema, name)))
    rows = cursor.fetchone()[0]
    return Table(name, _columns(cursor, store, name), rows)


def list_tables(tenant_id: str) -> list[Table]:
    """The tenant's tables by name."""
    store = find_store(tenant_id)
    if store is None:
        return []
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename <> %s ORDER BY tablename",
            [store.schema, LEDGER],
        )
        return [_table(cursor, store, name) for (name,) in cursor.fetchall()]


def drop_table(tenant_id: str, name: str) -> None:
    """Drop the table; TableNotFound when there is none."""
    store = find_store(tenant_id)
    with transaction.atomic(), as_owner(), connection.cursor() as cursor:
        if store is None or name == LEDGER or not NAME.fullmatch(name) or not _columns(cursor, store, name):
            raise TableNotFound(f"There is no table {name[:100]!r}.", name=name[:100])
        cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(store.schema, name)))


def described(tenant_id: str) -> dict[str, list[tuple[str, str]]]:
    """{table: [(column, type)]} of all that NL-DB may read: the tenant's tables, then the platform's views."""
    store = find_store(tenant_id)
    schemas = [store.schema, VIEWS] if store else [VIEWS]
    found: dict[str, list[tuple[str, str]]] = {}
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = ANY(%s)"
            " AND table_name <> %s ORDER BY table_schema, table_name, ordinal_position",
            [schemas, LEDGER],
        )
        for table, column, kind in cursor.fetchall():
            found.setdefault(table, []).append((column, kind))
    return found
