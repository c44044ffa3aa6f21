"""HNSW indexes: one for each tenant that has very many chunks, and one for what all tenants share.

Built in the background, without locking anybody out: the scheduler looks every ten minutes, manage.py index_memory
at once.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from accounts.tenancy.tenant_model import owner_session
from config.database.address import direct_parameters
from config.database.session import require_own_session

INDEXED_FROM = 30_000  # chunks; fewer are compared one by one as quickly
PUBLIC = "\x00public"  # no tenant's id
BUILD_MEMORY = "1GB"
INDEX_LOCK = 0x6D656D69
CANDIDATES = """
SELECT tenant_id, model, count(*), min(vector_dims(embedding::vector)) FROM memory_memorychunk
WHERE embedding IS NOT NULL GROUP BY tenant_id, model HAVING count(*) >= %s
"""
PUBLIC_CANDIDATES = """
SELECT model, count(*), min(vector_dims(embedding::vector)) FROM memory_memorychunk
WHERE embedding IS NOT NULL AND visibility = 'public' GROUP BY model HAVING count(*) >= %s
"""


def quoted(value: str) -> str:
    """A text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def index_name(key: str, model: str) -> str:
    """The name of the index over a tenant's chunks (or PUBLIC's) of one model."""
    return "memory_ann_" + hashlib.sha256(f"{key}\n{model}".encode()).hexdigest()[:32]


def is_indexed(cursor: Any, name: str) -> bool:
    """Whether the index of this name is there and ready."""
    cursor.execute(
        "SELECT 1 FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid WHERE c.relname = %s AND i.indisvalid", [name]
    )
    return cursor.fetchone() is not None


def missing(least: int = INDEXED_FROM) -> list[tuple[str, str, int]]:
    """(tenant's id or PUBLIC, model, dimension) of the indexes that there should be and are not."""
    with connection.cursor() as cursor:
        cursor.execute(CANDIDATES, [least])
        wanted = [(tenant, model, dimension) for tenant, model, _, dimension in cursor.fetchall()]
        cursor.execute(PUBLIC_CANDIDATES, [least])
        wanted += [(PUBLIC, model, dimension) for model, _, dimension in cursor.fetchall()]
        return [found for found in wanted if not is_indexed(cursor, index_name(found[0], found[1]))]


@contextmanager
def alone() -> Iterator[bool]:
    """Whether nobody else builds indexes just now."""
    with connection.cursor() as cursor:
        require_own_session(cursor.connection, direct_parameters())  # which holds the lock
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [INDEX_LOCK])
        mine = cursor.fetchone()[0]
        try:
            yield mine
        finally:
            if mine:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [INDEX_LOCK])


def build(key: str, model: str, dimension: int) -> str:
    """The name of the index, built while others read and write; what an interrupted build left is dropped first."""
    name = index_name(key, model)
    where = "visibility = 'public'" if key == PUBLIC else f"tenant_id = {quoted(key)}"
    with owner_session(), connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        cursor.execute(f"SET maintenance_work_mem = '{BUILD_MEMORY}'")
        try:
            cursor.execute(
                f"CREATE INDEX CONCURRENTLY {name} ON memory_memorychunk"
                f" USING hnsw ((embedding::halfvec({int(dimension)})) halfvec_ip_ops)"
                f" WHERE {where} AND model = {quoted(model)} AND embedding IS NOT NULL"
            )
        finally:
            cursor.execute("RESET maintenance_work_mem")
    return name


def drop_of(model: str) -> None:
    """Drop the indexes over vectors of a model that is used no more."""
    with owner_session(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname FROM pg_indexes WHERE indexname LIKE 'memory_ann_%%' AND strpos(indexdef, %s) > 0",
            [quoted(model)],
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
