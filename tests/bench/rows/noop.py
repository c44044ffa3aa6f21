"""The engine alone: runs of three steps that do nothing, queued as rows; what they cost PostgreSQL."""

from dataclasses import dataclass, field
from uuid import UUID

from tests.bench import floors, load, programs
from tests.bench.database import Commits, Database
from tests.bench.figures import Row, at_least, at_most
from tests.bench.setting import Bench

RUNS, WARM_RUNS = 2_000, 600
BATCH = 100  # about as many runs as one commit of the engine takes along
TABLES = {  # and how a row names its run
    "orchestration_run": "id = ANY(%s)",
    "orchestration_step": "run_id = ANY(%s)",
    "orchestration_runevent": "run_id = ANY(%s)",
    "governance_policydecision": "run_id = ANY(%s)",
    "governance_auditentry": "resource_id = ANY(%s::uuid[]::text[])",
}
NAIVE = "naive journals: 10–27"


@dataclass
class Trials:
    """What the trials gave."""

    per_s: list[float] = field(default_factory=list)
    wal: list[float] = field(default_factory=list)
    batches: list[list[UUID]] = field(default_factory=list)


def measure(bench: Bench) -> list[Row]:
    """Throughput, transactions and log of runs."""
    trials = Trials()
    with bench.stack.worker():
        bench.database.do("CHECKPOINT")
        load.seconds(bench, load.queue(bench, WARM_RUNS, kind=programs.NOOP))
        commits = Commits(bench.database)
        for _ in range(bench.trials):
            _trial(bench, trials)
        transactions = commits.since() / (RUNS * bench.trials)
    bare = [_bare_wal(bench.database, ids) for ids in trials.batches]
    return _rows(trials, transactions, bare, floors.messages_per_s(bench, workers=2))


def _rows(trials: Trials, transactions: float, bare: list[float], floor: list[float]) -> list[Row]:
    what, unit = "no-op runs of 3 steps, engine only", "runs/s"
    note = f"{RUNS:,} queued rows, every step's commit waited for, full journal with events"
    targets = (at_least(10, of_floor=True), at_least(2000))
    floor_what = "one Celery message per run, two workers with threads pools"
    rows = f"its bare rows, {BATCH} runs per transaction"
    most = (at_most(1.5, of_floor=True),)
    return [
        Row("noop", what, unit, trials.per_s, targets, floor_what, floor, note),
        Row("transactions", "transactions per run, engine only", "", [transactions], (at_most(2),), NAIVE),
        Row("wal", "WAL per run, its queue row included", "bytes", trials.wal, most, rows, bare),
    ]


def _trial(bench: Bench, trials: Trials) -> None:
    before = bench.database.wal()
    batch = load.queue(bench, RUNS, kind=programs.NOOP)
    trials.per_s.append(RUNS / load.seconds(bench, batch))
    trials.wal.append((bench.database.wal() - before) / RUNS)
    trials.batches.append(batch.ids)


def _bare_wal(database: Database, ids: list[UUID]) -> float:
    """Bytes per run when the same rows are inserted as they are in the end, into tables with the same indexes."""
    for table in TABLES:
        database.do(f"CREATE TABLE bare_{table} (LIKE {table} INCLUDING ALL)")
    before = database.wal()
    for at in range(0, len(ids), BATCH):
        with database.connection.transaction():
            for table, which in TABLES.items():
                database.do(f"INSERT INTO bare_{table} SELECT * FROM {table} WHERE {which}", ids[at : at + BATCH])
    spent = database.wal() - before
    for table in TABLES:
        database.do(f"DROP TABLE bare_{table}")
    return spent / len(ids)
