"""The hottest statements, prepared on the ORM's own connection: PostgreSQL plans them once, not for every request."""

from typing import TYPE_CHECKING, Any, cast

from django.db import connection

from config.database.statements import Values

if TYPE_CHECKING:
    from config.database.base import DatabaseWrapper

database = cast("DatabaseWrapper", connection)  # this thread's


def execute(statement: str, values: Values) -> tuple[Any, ...] | None:
    """The first row, None when there is none or the statement returns no rows; errors are Django's."""
    row: tuple[Any, ...] | None = database.first_row(statement, values)
    return row


def execute_later(statement: str, values: Values) -> None:
    """Execute a statement that returns no rows, with the transaction's next prepared statement or its COMMIT.

    Its errors are raised there.
    """
    database.execute_later(statement, values)
