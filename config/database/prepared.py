"""The hottest statements, prepared on the ORM's own connection: PostgreSQL plans them once, not for every request."""

from collections.abc import Sequence
from typing import Any

from django.db import connection


def execute(statement: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
    """The first row, None when there is none or the statement returns no rows; errors are Django's."""
    row: tuple[Any, ...] | None = connection.first_row(statement, values)
    return row


def later(statement: str, values: Sequence[Any]) -> None:
    """Execute a statement that returns no rows, with the transaction's next prepared statement or its COMMIT.

    Its errors are raised there.
    """
    connection.later(statement, values)
