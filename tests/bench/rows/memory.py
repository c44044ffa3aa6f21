"""Searching 100,000 memories of one tenant among a million: how long it takes, and how much of the nearest it finds."""

import time
from typing import Any

import psycopg
from django.db import connection
from pgvector import HalfVector
from psycopg.pq import TransactionStatus

from accounts.models import Tenant
from memory.entries import candidates, indexes
from memory.entries.embedding import LOCAL_MODEL, LocalEmbedder
from memory.entries.query import MemoryQuery
from memory.entries.search import search_memories
from memory.entries.visibility import Viewer
from tests.bench import memories
from tests.bench.figures import Row, at_least, at_most, percentile
from tests.bench.setting import Bench

QUESTIONS, WARM = 60, 10
NEAREST = 10
FLOOR = "the same SQL sent by psycopg"


def measure(bench: Bench) -> list[Row]:
    """Without a filter, and with one that leaves a hundredth."""
    tenant = memories.fill()
    for key, model, dimension in indexes.missing_indexes():
        if key == tenant.pk:  # the others' would take minutes more, and no search of ours looks at them
            indexes.build_index(key, model, dimension)
    asked = list(memories.questions(QUESTIONS + WARM))
    rows = []
    for name, what, metadata in (("", "all", {}), ("-filtered", "a hundredth of", {"tag": 7})):
        questions = [_question(text, metadata) for text in asked]
        viewer = Viewer(tenant.pk)
        trials = [_trial(viewer, questions) for _ in range(bench.trials)]
        recalls = [_recall(tenant, viewer, question) for question in questions]
        told = f"a search over {what} {memories.OF_EACH:,} memories among {memories.TENANTS * memories.OF_EACH:,}"
        ours, theirs = [trial[0] for trial in trials], [trial[1] for trial in trials]
        rows += [
            Row(f"memory{name}", f"{told}, p50", "ms", ours, (at_most(1.5, of_floor=True),), FLOOR, theirs),
            Row(f"memory-recall{name}", f"recall@10 of {told}", "", [sum(recalls) / len(recalls)], (at_least(0.95),)),
        ]
    return rows


def _question(text: str, metadata: dict[str, Any]) -> MemoryQuery:
    (vector,) = LocalEmbedder().vectors([text])
    return MemoryQuery(text, vector, LOCAL_MODEL, metadata=metadata, limit=NEAREST, threshold=0.0)


def _trial(viewer: Viewer, questions: list[MemoryQuery]) -> tuple[float, float]:
    """(ms of a search, ms of its statements sent directly), each the median of all questions, asked in turns."""
    recorded = [_statements(viewer, question) for question in questions]  # the pages are warm for both from now on
    ours, theirs = [], []
    with memories.connect() as direct:
        for number, (question, statements) in enumerate(zip(questions, recorded, strict=True)):
            began = time.perf_counter()
            search_memories(viewer, question)
            took = time.perf_counter() - began
            again = _directly(direct, statements)
            if number >= WARM:
                ours.append(took * 1000)
                theirs.append(again * 1000)
    return percentile(ours, 0.5), percentile(theirs, 0.5)


def _statements(viewer: Viewer, question: MemoryQuery) -> list[tuple[str, Any]]:
    """What a search sends."""
    statements: list[tuple[str, Any]] = []
    with connection.execute_wrapper(_recording(statements)):
        search_memories(viewer, question)
    return statements


def _recording(statements: list[tuple[str, Any]]) -> Any:
    def record(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append((sql, params))
        return execute(sql, params, many, context)

    return record


def _directly(direct: psycopg.Connection, statements: list[tuple[str, Any]]) -> float:
    """Seconds that these statements take on a bare connection; a setting is for the one statement after it."""
    with psycopg.ClientCursor(direct) as cursor:  # as Django does: values are put in by the client
        began = time.perf_counter()
        for sql, params in statements:
            if sql.startswith("SET LOCAL"):
                cursor.execute("BEGIN")
            cursor.execute(sql, params)
            if cursor.description:
                cursor.fetchall()
            if direct.info.transaction_status == TransactionStatus.INTRANS and not sql.startswith("SET LOCAL"):
                cursor.execute("COMMIT")
        return time.perf_counter() - began


def _recall(tenant: Tenant, viewer: Viewer, question: MemoryQuery) -> float:
    """The share of the exactly nearest that the vector search finds."""
    found = candidates.by_meaning(viewer, question, NEAREST)
    best = sorted(found, key=lambda entry: -found[entry])[:NEAREST]
    with connection.cursor() as cursor:
        cursor.execute("SET enable_indexscan = off")
        cursor.execute(
            "SELECT entry_id FROM memory_memorychunk WHERE tenant_id = %s AND metadata @> %s::jsonb"
            " ORDER BY embedding <#> %s::halfvec(256) LIMIT %s",
            [
                tenant.pk,
                "{}" if not question.metadata else '{"tag": 7}',
                HalfVector(question.vector).to_text(),
                NEAREST,
            ],
        )
        exact = {row[0] for row in cursor.fetchall()}
        cursor.execute("RESET enable_indexscan")
    return len(exact & set(best)) / len(exact)
