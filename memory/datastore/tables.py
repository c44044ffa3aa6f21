"""Making, filling, listing and dropping the tables of a tenant's data store."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from psycopg import DataError, sql

from accounts.tenancy.tenant_model import as_owner
from config.errors import Conflict, Invalid, NotFound
from config.values.json_types import JsonObject
from memory.datastore.column_types import KINDS
from memory.datastore.column_values import Unfit, column_value
from memory.datastore.logins import LEDGER, VIEWS, ensure_store, find_store, grant_table
from memory.datastore.names import NAME, Column, columns_of
from memory.datastore.sheets import Sheet, object_sheet, typed_columns
from memory.models import DataStore

PLATFORM_VIEWS = frozenset({"runs", "steps", "events", "workflows"})  # the platform's views
MAX_TABLES = 500
MODES = ("create", "append", "replace")


class TableNotFound(NotFound):
    """There is no such table."""


@dataclass(frozen=True)
class Table:
    """A table as it is: its columns as (name, PostgreSQL's type); after a load also the columns that were loaded."""

    name: str
    columns: list[tuple[str, str]]
    rows: int
    load_columns: list[Column] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def column_types(self) -> list[JsonObject]:
        """[{name, type}] in the words of the API."""
        return [{"name": name, "type": KINDS.get(type, type)} for name, type in self.columns]

    @property
    def load_report(self) -> list[JsonObject]:
        """[{name, type, source, reason}]: after a load also each column's key in the rows, and why it has its type."""
        load_columns = {column.name: column for column in self.load_columns}
        report = []
        for column in self.column_types:
            source = load_columns.get(column["name"])
            reason = source.reason if source else "The table has it; these rows do not."
            report.append(column | {"source": source.key if source else None, "reason": reason})
        return report


def checked_name(name: str) -> str:
    """The name, when a table may have it."""
    if not NAME.fullmatch(name):
        raise Invalid({"name": ["Must match [a-z_][a-z0-9_]{0,62}: small letters, digits and _."]})
    if name in PLATFORM_VIEWS or name == LEDGER or name.startswith("pg_"):
        raise Invalid({"name": [f"{name} is a name of the platform's or of PostgreSQL's own; choose another."]})
    return name


def load_table(tenant_id: str, name: str, rows: Iterable[JsonObject], mode: str, from_text: bool) -> Table:
    """The table with these rows in it (load_sheet); `from_text`: they are texts, read as what they look like."""
    return load_sheet(tenant_id, name, object_sheet(rows, from_text), mode)


def load_sheet(tenant_id: str, name: str, sheet: Sheet, mode: str) -> Table:
    """The table with these rows in it: made, replaced, or appended to; on any fault nothing has changed."""
    name = checked_name(name)
    store = ensure_store(tenant_id)
    with transaction.atomic(), as_owner(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"{store.schema}.{name}"])
        existing = _columns(cursor, store, name)
        if existing and mode == "create":
            raise Conflict(f"There is a table {name!r} already; send mode append or replace.", name=name)
        if existing and mode == "append":
            columns = _matching(sheet, existing)
        else:
            columns = typed_columns(sheet)
            _make(cursor, store, name, columns)
        _fill(cursor, store, name, columns, sheet)
        notes = [*sheet.notes, *(column.note for column in columns if column.note)]
        table = _table(cursor, store, name)
        return Table(table.name, table.columns, table.rows, columns, notes)


def _matching(sheet: Sheet, existing: list[tuple[str, str]]) -> list[Column]:
    """The table's columns for the rows' keys; Invalid naming those that it does not have."""
    types = dict(existing)
    columns = columns_of(sheet.keys)
    missing = [column.key for column in columns if column.name not in types]
    if missing:
        raise Invalid({"rows": [f"The table has no column {', '.join(missing)}; it has {', '.join(types)}."]})
    for column in columns:
        column.type = types[column.name].replace("timestamp with time zone", "timestamptz")
        column.type = column.type.replace("timestamp without time zone", "timestamp")
        column.reason = "The table has it, of this type."
    return columns


def _make(cursor: Any, store: DataStore, name: str, columns: list[Column]) -> None:
    table = sql.Identifier(store.schema, name)
    cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
    cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = %s", [store.schema])
    if cursor.fetchone()[0] > MAX_TABLES:
        raise Conflict(f"There are {MAX_TABLES} tables already; drop some first.")
    parts = [sql.SQL("{} " + column.type).format(sql.Identifier(column.name)) for column in columns]
    cursor.execute(sql.SQL("CREATE TABLE {} ({})").format(table, sql.SQL(", ").join(parts)))
    grant_table(cursor, store, name)


def _fill(cursor: Any, store: DataStore, name: str, columns: list[Column], sheet: Sheet) -> None:
    """COPY the rows in; Invalid naming the row and column of a value that does not fit."""
    if not columns:
        return
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
    copying = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(store.schema, name), names)
    try:
        with transaction.atomic(), cursor.copy(copying) as copy:
            for number, values in sheet.rows():
                pairs = zip(columns, values, strict=True)
                copy.write_row([_value(sheet, column, number, value) for column, value in pairs])
    except DataError as fault:
        raise Invalid({"rows": [f"The values do not fit the columns: {str(fault).splitlines()[0]}."]}) from None


def _value(sheet: Sheet, column: Column, number: int, value: Any) -> Any:
    try:
        return column_value(value, column.type, sheet.from_text)
    except Unfit as fault:
        raise sheet.misfit(number, column.key, str(fault), KINDS.get(column.type, column.type)) from None


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


def describe_tables(tenant_id: str) -> dict[str, list[tuple[str, str]]]:
    """{table: [(column, type)]} of all that NL-DB may read: the tenant's tables, then the platform's views."""
    store = find_store(tenant_id)
    schemas = [store.schema, VIEWS] if store else [VIEWS]
    tables: dict[str, list[tuple[str, str]]] = {}
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = ANY(%s)"
            " AND table_name <> %s ORDER BY table_schema, table_name, ordinal_position",
            [schemas, LEDGER],
        )
        for table, column, kind in cursor.fetchall():
            tables.setdefault(table, []).append((column, kind))
    return tables
