"""The statements over rollups (sql/rollups.sql), and the values that several of them share."""

from typing import Any

from django.db import connection, transaction

from config.database.queries import load_queries

QUERIES = load_queries(__package__, "sql/rollups.sql")
GROWTH = 1.05  # of a bucket of durations over the one before
OWN_KINDS = ("callback", "notification", "apply")  # runs of the product's own account: no work of the tenant
LOCK = 0x524F4C4C
SHARED_VALUES: dict[str, Any] = {"growth": GROWTH, "own_kinds": list(OWN_KINDS)}


def run_alone(name: str, **values: Any) -> int:
    """The number that the statement answers; 0 while another process runs one of these."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(QUERIES["lock"], {"lock": LOCK})
        if cursor.fetchone() == (False,):
            return 0
        cursor.execute(QUERIES[name], SHARED_VALUES | values)
        row = cursor.fetchone()
    return int(row[0])


def fetch_all(name: str, **values: Any) -> list[tuple[Any, ...]]:
    """The rows that the statement answers."""
    with connection.cursor() as cursor:
        cursor.execute(QUERIES[name], SHARED_VALUES | values)
        return list(cursor.fetchall())
