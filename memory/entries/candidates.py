"""The candidates of a search: exact over what the filters leave, through an HNSW index where that is still much.

A tenant gets an index of its own when it has very many chunks (indexes.py). An HNSW index knows no filters: it yields
ever more neighbours until enough of them pass (pgvector's iterative scan), which is slow and may end early when few
pass; so when few do, they are all compared instead, which is exact (RELIABILITY P9). The SQL is sql/search.sql.
"""

from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from pgvector import HalfVector

from config.database.queries import load_queries
from memory.entries.indexes import PUBLIC, index_name, is_indexed
from memory.entries.query import MemoryQuery
from memory.entries.visibility import Viewer
from memory.entries.word_frequencies import frequencies

MAX_EXACT = 20_000  # chunks that are compared one by one, some 10 ms
MAX_MATCHES = 1_000  # memories with some of the words that are ranked
QUERIES = load_queries(__package__, "sql/search.sql")


def by_meaning(viewer: Viewer, query: MemoryQuery, limit: int) -> dict[UUID, float]:
    """{memory's id: the cosine of its nearest chunk} of the nearest memories."""
    cosines: dict[UUID, float] = {}
    if query.vector is None:
        return cosines
    for scope in _scopes(query):
        for entry_id, cosine in _nearest(query, _values(viewer, query, scope, limit)):
            cosines[entry_id] = max(cosine, cosines.get(entry_id, -1.0))
    return cosines


def by_words(viewer: Viewer, query: MemoryQuery, words: list[str], limit: int) -> list[UUID]:
    """The memories that have some of these words, those that have more of them, and closer together, first."""
    ids: list[UUID] = []
    rare_words = frequencies.rare(viewer.tenant_id, words)
    for scope in _scopes(query) if rare_words else ():
        values = _values(viewer, query, scope, limit) | {"words": " ".join(rare_words), "max_matches": MAX_MATCHES}
        with connection.cursor() as cursor:
            cursor.execute(QUERIES["by_words"], values)
            ids += [row[0] for row in cursor.fetchall()]
    return ids


def cosines_of(query: MemoryQuery, ids: list[UUID]) -> dict[UUID, float]:
    """{id: the cosine of its nearest chunk} of these memories."""
    with connection.cursor() as cursor:
        cursor.execute(QUERIES["cosines"], {"vector": _vector(query), "entries": ids, "model": query.model})
        return dict(cursor.fetchall())


def _scopes(query: MemoryQuery) -> tuple[str, ...]:
    return ("tenant", "public") if query.public else ("tenant",)


def _nearest(query: MemoryQuery, values: dict[str, Any]) -> list[tuple[UUID, float]]:
    """(memory's id, cosine) of the nearest chunks."""
    name = index_name(values["tenant"] if values["scope"] == "tenant" else PUBLIC, query.model)
    with transaction.atomic(), connection.cursor() as cursor:
        if is_indexed(cursor, name) and (not _is_filtered(query) or _has_many(cursor, values)):
            cursor.execute(QUERIES["index_settings"])
            cursor.execute(QUERIES["nearest_by_index"], values)
        else:
            cursor.execute(QUERIES["nearest"], values)
        return cursor.fetchall()


def _is_filtered(query: MemoryQuery) -> bool:
    """Whether the query is for some of a tenant's memories only; who has an index has many."""
    return bool(query.owner_type or query.owner_id or query.type or query.metadata or query.owners)


def _has_many(cursor: Any, values: dict[str, Any]) -> bool:
    """Whether the filters leave more chunks than may be compared one by one."""
    cursor.execute(QUERIES["count_candidates"], values | {"limit": MAX_EXACT + 1})
    return cursor.fetchone()[0] > MAX_EXACT


def _values(viewer: Viewer, query: MemoryQuery, scope: str, limit: int) -> dict[str, Any]:
    """The values that the statements name."""
    return {
        "scope": scope,
        "tenant": viewer.tenant_id,
        "user": viewer.user_id,
        "viewer": viewer.json_text(),
        "owner_type": query.owner_type,
        "owner_id": query.owner_id,
        "owners": [f"{kind!s}:{id}" for kind, id in query.owners],
        "owner_ids": [id for _, id in query.owners],
        "type": query.type,
        "metadata": orjson.dumps(query.metadata).decode(),
        "model": query.model,
        "vector": _vector(query),
        "dimension": len(query.vector or ()),
        "limit": limit,
    }


def _vector(query: MemoryQuery) -> str | None:
    return None if query.vector is None else HalfVector(query.vector).to_text()
