"""Runs that dead engines have left behind."""

from django.conf import settings
from django.db import Error, connection

from orchestration.engine import claims


def sweep() -> int:
    """The number of runs that were taken back from dead engines."""
    with connection.cursor() as cursor:
        cursor.execute(claims.SWEEP, {"lease": settings.ENGINE_LEASE_S})
        return len(cursor.fetchall())


def are_runs_orphaned() -> bool:
    """Whether runs were left behind by engines of which none lives, so that each second counts; False while PostgreSQL
    does not answer. The connection is closed: the caller is about to fork.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(claims.ORPHANED)
            return bool(cursor.fetchone()[0])
    except Error:
        return False
    finally:
        connection.close()
