"""natural_language_db_write in a draft: the model's statement is rehearsed and kept; reads see what was staged."""

from typing import Any

from asgiref.sync import async_to_sync

from agents.errors import ToolExecutionError
from agents.tools.registry import ToolCall
from config.errors import Conflict
from memory.datastore import sql_runner
from memory.datastore.logins import find_store
from memory.datastore.sql_errors import RowsMoved, SqlFailed
from memory.datastore.sql_runner import Rows
from memory.models import DataStore
from orchestration.models import Change
from orchestration.runs.draft_effects import StagedEffect, staged_changes

KIND = "database"


def statements(call: ToolCall) -> list[str]:
    """The statements that the run has staged, in their order."""
    return [change.base["sql"] for change in staged_changes(call.tenant_id, call.run.id, KIND)]


async def staged(store: DataStore, sql: str, rows_sql: str | None, table: str, earlier: list[str]) -> StagedEffect:
    """The rows that the statement changes, before and after, as the run sees them."""
    before, after = await sql_runner.rehearse(store, sql, rows_sql, earlier)
    base = {"sql": sql, "rows_sql": rows_sql}
    answer = {"operation": "write", "sql": sql, "columns": after.columns, "results": after.rows}
    told = before.rows if before is not None else None
    return StagedEffect(
        KIND, table, told, after.rows, base, answer | {"rowCount": len(after.rows), "truncated": after.truncated}
    )


def moved(change: Change, earlier: list[Change]) -> str:
    """Whether the rows that the statement changes are others by now than those that were reviewed."""
    store = find_store(change.tenant_id)
    if store is None:
        return "The tenant's tables are gone."
    before = [one.base["sql"] for one in earlier if one.kind == KIND]
    try:
        rows, _ = async_to_sync(sql_runner.rehearse)(store, change.base["sql"], change.base["rows_sql"], before)
    except SqlFailed as fault:
        return f"The statement cannot be run any more: {fault.message}"
    return "" if _same(rows, change) else f"Rows of {change.target} have changed since."


def _same(rows: Rows | None, change: Change) -> bool:
    return rows is None or sql_runner.same_rows(rows.rows, change.before or [])


async def apply(call: ToolCall, change: Change) -> dict[str, Any]:
    """What the tool would have answered; the reviewed statement is run, and no model asked again."""
    store = await call.database(lambda: find_store(call.tenant_id))
    if store is None:
        raise ToolExecutionError("The tenant's tables are gone.")
    expected = (change.base["rows_sql"], change.before or []) if change.base["rows_sql"] else None
    try:
        answer = await sql_runner.write(store, change.base["sql"], call.key, expected)
    except RowsMoved as fault:
        raise Conflict(fault.message) from None
    except SqlFailed as fault:
        raise ToolExecutionError(fault.message) from None
    told = {"operation": "write", "sql": change.base["sql"], "columns": answer.columns, "results": answer.rows}
    return told | {"rowCount": len(answer.rows), "truncated": answer.truncated}
