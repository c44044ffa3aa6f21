"""The statements over rollups (sql/rollups.sql), and the values that several of them share."""

from typing import Any

from django.db import connection, transaction

from config.database.queries import load_queries
from config.values.json_types import JsonObject
from orchestration.kinds import internal_kinds

QUERIES = load_queries(__package__, "sql/rollups.sql")
GROWTH = 1.05  # of a bucket of durations over the one before
LOCK = 0x524F4C4C


def shared_values() -> JsonObject:
    """The values that several statements share; own_kinds are those of the product's own work, no work of a tenant."""
    return {"growth": GROWTH, "own_kinds": internal_kinds()}


def run_alone(name: str, **values: Any) -> int:
    """The number that the statement answers; 0 while another process runs one of these."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(QUERIES["lock"], {"lock": LOCK})
        if cursor.fetchone() == (False,):
            return 0
        cursor.execute(QUERIES[name], shared_values() | values)
        row = cursor.fetchone()
    return int(row[0])


def fetch_all(name: str, **values: Any) -> list[tuple[Any, ...]]:
    """The rows that the statement answers."""
    with connection.cursor() as cursor:
        cursor.execute(QUERIES[name], shared_values() | values)
        return list(cursor.fetchall())
