"""The hottest statements, prepared on the ORM's own connection: PostgreSQL plans them once, not for every request."""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connection


def execute(sql: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
    """The first row, None when there is none or the statement returns no rows; errors are Django's."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(sql, values, prepare=True)
        result = cursor.pgresult  # asked itself: a description of all columns would take as long as reading them
        return cursor.fetchone() if result is not None and result.nfields else None
