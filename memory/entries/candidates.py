"""The SQL of a search: exact over what the filters leave, through an HNSW index where that is still much.

A tenant gets an index of its own when it has very many chunks (indexing.py). An HNSW index knows no filters: it is
asked for ever more neighbours until enough of them pass (pgvector's iterative scan), which is slow and may end early
when few pass; so when few do, they are all compared instead, which is exact (RELIABILITY P9).
"""

from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from pgvector import HalfVector

from memory.entries.indexes import PUBLIC, index_name, is_indexed, quoted
from memory.entries.word_frequencies import frequencies
from memory.models.entry import WORDS

if TYPE_CHECKING:
    from memory.entries.entry_store import Question, Viewer

MAX_EXACT = 20_000  # chunks that are compared one by one, some 10 ms
WORDS_LOOKED_AT = 1_000
MAX_SCAN = 60_000  # of an HNSW index, until enough neighbours pass the filters
EF_SEARCH = 200
PRIVATE = """(
    {t}.visibility <> 'private' OR {t}.owner_type = 'tenant'
    OR ({t}.created_by = %(user)s AND (%(end_user)s = '' OR {t}.owner_type <> 'user' OR {t}.owner_id = %(end_user)s))
    OR ({t}.owner_type = 'app' AND {t}.owner_id = %(app)s AND %(app)s <> '')
    OR ({t}.owner_type = 'agent' AND {t}.owner_id = %(agent)s AND %(agent)s <> '')
    OR ({t}.owner_type = 'run' AND {t}.owner_id = %(run)s AND %(run)s <> ''))"""
ALIVE = "({t}.expires_at IS NULL OR {t}.expires_at > now())"


def literal(value: str) -> str:
    """A text as SQL, for predicates that must equal an index's own; doubled percent signs, as values follow."""
    return quoted(value).replace("%", "%%")


def filters(question: "Question", table: str) -> str:
    """What the question asks of a memory, and that its time is not over."""
    parts = [ALIVE]
    parts += ["{t}.owner_type = %(owner_type)s"] if question.owner_type else []
    parts += ["{t}.owner_id = %(owner_id)s"] if question.owner_id else []
    if question.owners:  # a user's are those it made: its id is no secret, and whoever knows it may write it down
        parts += ["({t}.owner_type, {t}.owner_id) IN (SELECT * FROM unnest(%(of)s::text[], %(ids)s::text[]))"]
        parts += ["({t}.owner_type <> 'user' OR {t}.created_by = %(user)s)"]
    parts += ["{t}.type = %(type)s"] if question.type else []
    parts += ["{t}.metadata @> %(metadata)s::jsonb"] if question.metadata else []
    return " AND ".join(parts).format(t=table)


def values(viewer: "Viewer", question: "Question") -> dict[str, Any]:
    """All that the statements below name."""
    return {
        "tenant": viewer.tenant_id,
        "user": viewer.user_id,
        "app": viewer.app_id,
        "agent": viewer.agent_id,
        "end_user": viewer.end_user,
        "run": str(viewer.run_id or ""),
        "owner_type": question.owner_type,
        "owner_id": question.owner_id,
        "of": [str(owner) for owner, _ in question.owners],
        "ids": [id for _, id in question.owners],
        "type": question.type,
        "metadata": orjson.dumps(question.metadata).decode(),
        "vector": None if question.vector is None else HalfVector(question.vector).to_text(),
    }


def own(viewer: "Viewer", table: str) -> str:
    """What the asker may see of its own tenant's."""
    return f"{table}.tenant_id = {literal(viewer.tenant_id)} AND {PRIVATE.format(t=table)}"


def others(viewer: "Viewer", table: str) -> str:
    """What all tenants may see of the others'."""
    return f"{table}.visibility = 'public' AND {table}.tenant_id <> {literal(viewer.tenant_id)}"


def by_meaning(viewer: "Viewer", question: "Question", most: int) -> dict[UUID, float]:
    """{memory's id: the cosine of its nearest chunk} of the nearest memories."""
    if question.vector is None:
        return {}
    found: dict[UUID, float] = {}
    scopes = [(own(viewer, "c"), viewer.tenant_id), (others(viewer, "c"), PUBLIC)]
    for scope, key in scopes if question.public else scopes[:1]:
        for entry_id, cosine in _nearest(viewer, question, scope, key, most):
            found[entry_id] = max(cosine, found.get(entry_id, -1.0))
    return found


def _nearest(viewer: "Viewer", question: "Question", scope: str, key: str, most: int) -> list[tuple[UUID, float]]:
    """(memory's id, cosine) of the nearest chunks."""
    where = f"{scope} AND {filters(question, 'c')} AND c.model = {literal(question.model)}"
    given = values(viewer, question)
    with transaction.atomic(), connection.cursor() as cursor:
        name, dimension = index_name(key, question.model), len(question.vector or ())
        if is_indexed(cursor, name) and (not _narrowed(question) or _many(cursor, where, given)):
            cursor.execute(
                f"SET LOCAL hnsw.iterative_scan = strict_order; SET LOCAL hnsw.ef_search = {EF_SEARCH};"
                f" SET LOCAL hnsw.max_scan_tuples = {MAX_SCAN}; SET LOCAL enable_bitmapscan = off;"
                " SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off"
            )
            embedding = f"(c.embedding::halfvec({dimension}))"
        else:
            embedding = "c.embedding"
        nearness = f"{embedding} <#> %(vector)s::halfvec({dimension})"
        cursor.execute(
            f"SELECT c.entry_id, -({nearness}) FROM memory_memorychunk c"
            f" WHERE {where} AND c.embedding IS NOT NULL ORDER BY {nearness} LIMIT {int(most)}",
            given,
        )
        return cursor.fetchall()


def _narrowed(question: "Question") -> bool:
    """Whether the question asks for some of a tenant's memories only; who has an index has many."""
    return bool(question.owner_type or question.owner_id or question.type or question.metadata or question.owners)


def _many(cursor: Any, where: str, given: dict[str, Any]) -> bool:
    """Whether the filters leave more than may be compared one by one; counted no further than that."""
    cursor.execute(
        f"SELECT count(*) FROM (SELECT FROM memory_memorychunk c WHERE {where} LIMIT {MAX_EXACT + 1}) AS counted",
        given,
    )
    return cursor.fetchone()[0] > MAX_EXACT


def by_words(viewer: "Viewer", question: "Question", wanted: list[str], most: int) -> list[UUID]:
    """The memories that have some of these words, those that have more of them, and closer together, first."""
    found: list[UUID] = []
    wanted = frequencies.rare(viewer.tenant_id, wanted)
    if not wanted:
        return found
    scopes = [(own(viewer, "e"), "tenant{t}"), (others(viewer, "e"), "visibilitypublic & !tenant{t}")]
    for scope, within in scopes if question.public else scopes[:1]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                WITH q AS (
                    SELECT replace(plainto_tsquery('{WORDS}', %(words)s)::text, '&', '|')::tsquery AS any_word,
                        to_tsquery('{WORDS}', replace(%(within)s, '{{t}}', md5(%(tenant)s))) AS within
                ), matching AS (
                    SELECT e.id, e.words FROM memory_memoryentry e, q
                    WHERE e.words @@ (q.within && q.any_word) AND {scope} AND {filters(question, "e")}
                    LIMIT {WORDS_LOOKED_AT}
                )
                SELECT m.id FROM matching m, q ORDER BY ts_rank_cd(m.words, q.any_word) DESC LIMIT {int(most)}
                """,
                values(viewer, question) | {"words": " ".join(wanted), "within": within},
            )
            found += [row[0] for row in cursor.fetchall()]
    return found


def cosines_of(viewer: "Viewer", question: "Question", ids: list[UUID]) -> dict[UUID, float]:
    """{id: the cosine of its nearest chunk} of these memories."""
    dimension = len(question.vector or ())
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT c.entry_id, max(-(c.embedding <#> %(vector)s::halfvec({dimension}))) FROM memory_memorychunk c"
            " WHERE c.entry_id = ANY(%(entries)s) AND c.model = %(model)s AND c.embedding IS NOT NULL"
            " GROUP BY c.entry_id",
            values(viewer, question) | {"entries": ids, "model": question.model},
        )
        return dict(cursor.fetchall())
