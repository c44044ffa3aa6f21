"""HNSW indexes: one for each tenant that has very many chunks, and one for what all tenants share (sql/indexes.sql).

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
from config.database.queries import load_queries, with_identifiers
from config.database.session import require_own_session

MIN_INDEXED_CHUNKS = 30_000  # fewer are compared one by one as quickly
PUBLIC = "\x00public"  # no tenant's id
BUILD_MEMORY = "1GB"
INDEX_LOCK = 0x6D656D69
QUERIES = load_queries(__package__, "sql/indexes.sql")
DROP = 'DROP INDEX CONCURRENTLY IF EXISTS :"index"'
BUILD = """
CREATE INDEX CONCURRENTLY :"index" ON memory_memorychunk
USING hnsw ((embedding::halfvec(%(dimension)s)) halfvec_ip_ops)
WHERE model = %(model)s AND embedding IS NOT NULL AND
"""
BUILD_TENANT = BUILD + "tenant_id = %(tenant)s"
BUILD_PUBLIC = BUILD + "visibility = 'public'"


def index_name(key: str, model: str) -> str:
    """The name of the index over a tenant's chunks (or PUBLIC's) of one model."""
    return "memory_ann_" + hashlib.sha256(f"{key}\n{model}".encode()).hexdigest()[:32]


def is_indexed(cursor: Any, name: str) -> bool:
    """Whether the index of this name is there and ready."""
    cursor.execute(QUERIES["find_index"], {"index": name})
    return cursor.fetchone() is not None


def missing_indexes(min_chunks: int = MIN_INDEXED_CHUNKS) -> list[tuple[str, str, int]]:
    """(tenant's id or PUBLIC, model, dimension) of the indexes that there should be and are not."""
    with connection.cursor() as cursor:
        cursor.execute(QUERIES["large_tenants"], {"min_chunks": min_chunks})
        due: list[tuple[str, str, int]] = list(cursor.fetchall())
        cursor.execute(QUERIES["large_public"], {"min_chunks": min_chunks})
        due += [(PUBLIC, model, dimension) for model, dimension in cursor.fetchall()]
        return [index for index in due if not is_indexed(cursor, index_name(index[0], index[1]))]


@contextmanager
def build_lock() -> Iterator[bool]:
    """Whether nobody else builds indexes just now."""
    with connection.cursor() as cursor:
        require_own_session(cursor.connection, direct_parameters())  # which holds the lock
        cursor.execute(QUERIES["lock"], {"lock": INDEX_LOCK})
        is_locked = cursor.fetchone()[0]
        try:
            yield is_locked
        finally:
            if is_locked:
                cursor.execute(QUERIES["unlock"], {"lock": INDEX_LOCK})


def build_index(key: str, model: str, dimension: int) -> str:
    """The name of the index, built while others read and write; what an interrupted build left is dropped first."""
    name = index_name(key, model)
    statement = BUILD_PUBLIC if key == PUBLIC else BUILD_TENANT
    values: dict[str, Any] = {"model": model, "dimension": int(dimension), "tenant": key}
    with owner_session(), connection.cursor() as cursor:
        cursor.execute(with_identifiers(DROP, index=name))
        cursor.execute(f"SET maintenance_work_mem = '{BUILD_MEMORY}'")
        try:
            cursor.execute(with_identifiers(statement, index=name), values)
        finally:
            cursor.execute("RESET maintenance_work_mem")
    return name


def drop_indexes(model: str) -> None:
    """Drop the indexes over vectors of a model that is used no more."""
    with owner_session(), connection.cursor() as cursor:
        cursor.execute(QUERIES["indexes_of_model"], {"model": model})
        for (name,) in cursor.fetchall():
            cursor.execute(with_identifiers(DROP, index=name))
