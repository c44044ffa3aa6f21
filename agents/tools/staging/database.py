"""natural_language_db_write in a draft: the model's statement is rehearsed and recorded; reads see its rows."""

from asgiref.sync import async_to_sync

from agents.errors import ToolExecutionError
from agents.tools.registry import ToolCall
from config.errors import Conflict
from config.values.json_types import JsonObject
from memory.datastore import sql_runner
from memory.datastore.logins import find_store
from memory.datastore.sql_errors import RowsMoved, SqlFailed
from memory.datastore.sql_runner import Rows
from memory.models import DataStore
from orchestration.models import Change
from orchestration.runs.draft_effects import StagedEffect, staged_changes

KIND = "database"
NO_TABLES = "The tenant's tables are gone."


def statements(call: ToolCall) -> list[str]:
    """The statements that the run has staged, in their order."""
    return [change.base["sql"] for change in staged_changes(call.tenant_id, call.run.id, KIND)]


async def stage_statement(
    store: DataStore, sql: str, rows_sql: str | None, table: str, earlier: list[str]
) -> StagedEffect:
    """The rows that the statement changes, before and after it, with the run's earlier statements applied."""
    before, after = await sql_runner.rehearse(store, sql, rows_sql, earlier)
    base = {"sql": sql, "rows_sql": rows_sql}
    return StagedEffect(KIND, table, before.rows if before is not None else None, after.rows, base, _answer(sql, after))


def conflict(change: Change, earlier: list[Change]) -> str:
    """Why the statement would change other rows by now than those that were reviewed; "" when it would not."""
    store = find_store(change.tenant_id)
    if store is None:
        return NO_TABLES
    before = [other.base["sql"] for other in earlier if other.kind == KIND]
    try:
        rows, _ = async_to_sync(sql_runner.rehearse)(store, change.base["sql"], change.base["rows_sql"], before)
    except SqlFailed as fault:
        return f"The statement cannot be run any more: {fault.message}"
    return "" if _is_same(rows, change) else f"Rows of {change.target} have changed since."


def _is_same(rows: Rows | None, change: Change) -> bool:
    return rows is None or sql_runner.same_rows(rows.rows, change.before or [])


async def apply(call: ToolCall, change: Change) -> JsonObject:
    """What the tool would have answered: the reviewed statement is run, without another call of the model."""
    store = await call.database(lambda: find_store(call.tenant_id))
    if store is None:
        raise ToolExecutionError(NO_TABLES)
    sql, rows_sql = change.base["sql"], change.base["rows_sql"]
    try:
        rows = await sql_runner.write(store, sql, call.key, (rows_sql, change.before or []) if rows_sql else None)
    except RowsMoved as fault:
        raise Conflict(fault.message) from None
    except SqlFailed as fault:
        raise ToolExecutionError(fault.message) from None
    return _answer(sql, rows)


def _answer(sql: str, rows: Rows) -> JsonObject:
    return {
        "operation": "write",
        "sql": sql,
        "columns": rows.columns,
        "results": rows.rows,
        "rowCount": len(rows.rows),
        "truncated": rows.truncated,
    }
