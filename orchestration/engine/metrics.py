"""What `/metrics` shows of the engines: counted by them, or read from their tables at each scrape."""

from typing import Any

from django.db import connection
from prometheus_client.metrics_core import Metric

from accounts.tenancy.tenant_model import everywhere
from config.processes.metrics import at_scrape, counter, gauge, histogram

CLAIM_SECONDS = histogram("regente_claim_seconds", "Time that a claim of runs took.")
CLAIMED_RUNS = counter("regente_claimed_runs", "Runs that engines have claimed; one that is put down counts again.")
BATCH_ENTRIES = histogram(
    "regente_journal_batch_entries", "Entries of runs in one commit.", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 400)
)
COMMIT_SECONDS = histogram("regente_journal_commit_seconds", "Time that a commit of the journal took.")

# By the three indexes that know the runs that are not over (orchestration/models/run.py).
OPEN_RUNS = """
SELECT status, count(*) FROM (
    SELECT status FROM orchestration_run WHERE owner IS NULL AND due_at IS NOT NULL
    UNION ALL SELECT status FROM orchestration_run WHERE owner IS NOT NULL
    UNION ALL SELECT status FROM orchestration_run
        WHERE owner IS NULL AND due_at IS NULL AND status IN ('pending', 'running', 'paused')
) AS open GROUP BY status
"""
QUEUE = """
SELECT count(*), coalesce(extract(epoch FROM now() - min(due_at)), 0)::float8 FROM orchestration_run
WHERE owner IS NULL AND due_at IS NOT NULL AND due_at <= now()
"""
ENGINES = """
SELECT CASE WHEN solitary THEN 'solitary' WHEN draining THEN 'draining' ELSE 'claiming' END,
    count(*), sum(slots), sum(running)
FROM orchestration_engine WHERE lease_until > now() GROUP BY 1
"""
OPEN_STATES = ("pending", "running", "paused")
ENGINE_STATES = ("claiming", "draining", "solitary")


@at_scrape
def engine_families() -> list[Metric]:
    """Runs that are not over, the queue, and the engines with their slots."""
    with everywhere(), connection.cursor() as cursor:
        runs = dict.fromkeys(OPEN_STATES, 0) | {row[0]: row[1] for row in _rows(cursor, OPEN_RUNS)}
        ((depth, oldest),) = _rows(cursor, QUEUE)
        engines = dict.fromkeys(ENGINE_STATES, (0, 0, 0)) | {row[0]: row[1:] for row in _rows(cursor, ENGINES)}
    none: dict[str, str] = {}
    count, slots, running = ([({"state": state}, row[at]) for state, row in engines.items()] for at in range(3))
    return [
        gauge("regente_runs", "Runs that are not over.", [({"status": name}, n) for name, n in runs.items()]),
        gauge("regente_queue_depth", "Runs that are due and wait for an engine.", [(none, depth)]),
        gauge("regente_queue_oldest_wait_seconds", "How long the oldest of them has been due.", [(none, oldest)]),
        gauge("regente_engines", "Engines that live.", count),
        gauge("regente_engine_slots", "Runs that they may hold.", slots),
        gauge("regente_engine_runs", "Runs that they hold.", running),
    ]


def _rows(cursor: Any, query: str) -> list[tuple[Any, ...]]:
    cursor.execute(query)
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
