"""Through the front door: runs of a workflow with three static nodes, started by POST, until all are completed."""

import time
from uuid import UUID

import orjson

from tests.bench import client, load
from tests.bench.client import Connection
from tests.bench.database import Commits
from tests.bench.figures import Row, at_least
from tests.bench.rows.noop import NAIVE
from tests.bench.setting import Bench
from tests.factories import PASSWORD

RUNS, WARM_RUNS = 2_000, 400
BODY = orjson.dumps({"input": {"ticket": 4711}, "mode": "auto"})


def measure(bench: Bench) -> list[Row]:
    """Throughput and transactions of runs that are started over HTTP, in turns with the floors."""
    path = f"/api/v1/workflows/{bench.noop_workflow().pk}/runs"
    taken, bare, bare_run, transactions = [], [], [], 0.0
    with bench.stack.worker():
        for _ in range(bench.trials):
            with bench.stack.web():
                token = client.run(client.log_in(bench.stack.port, bench.user.email, PASSWORD))
                _submit_all(bench, token, path, WARM_RUNS)
                commits = Commits(bench.database)
                taken.append(_submit_all(bench, token, path, RUNS))
                transactions += commits.since()
            with bench.stack.web("tests.bench.floor_web:application"):
                bare.append(_floor(bench, "/bare"))
                bare_run.append(_floor(bench, "/bare-run"))
    return _rows(taken, transactions / (RUNS * bench.trials), bare, bare_run)


def _rows(taken: list[tuple[float, float]], transactions: float, bare: list[float], bare_run: list[float]) -> list[Row]:
    what, unit, per_s = "no-op runs of 3 steps through HTTP", "runs/s", [RUNS / completed for _, completed in taken]
    submits = [RUNS / submitted for submitted, _ in taken]
    note = f"submits alone: {min(submits):,.0f}–{max(submits):,.0f} per s, {client.CONNECTIONS} connections"
    targets = (at_least(0.6, of_floor=True), at_least(400))
    run, row = "a bare DRF view that inserts one run's row", "a bare DRF view that inserts 3 columns"
    return [
        Row("http", what, unit, per_s, targets, run, bare_run, note, in_turns=True),
        Row("http-small-row", f"{what}, again", unit, per_s, (), row, bare, in_turns=True),
        Row("http-transactions", "transactions per run through HTTP", "", [transactions], (), NAIVE),
    ]


def _submit_all(bench: Bench, token: str, path: str, count: int) -> tuple[float, float]:
    """The seconds until all runs were accepted, and until all were completed."""

    async def start(connection: Connection) -> UUID:
        answer = await connection.request("POST", path, BODY)
        return UUID(answer.json(201)["id"])

    began = time.perf_counter()
    ids = client.run(client.flood(bench.stack.port, token, count, start))
    submitted = time.perf_counter() - began
    completed = load.wait_idle(bench) - began
    load.check(bench, ids)
    return submitted, completed


def _floor(bench: Bench, path: str) -> float:
    """Requests per second of a bare view."""

    async def insert(connection: Connection) -> None:
        (await connection.request("POST", path, BODY)).json(201)

    def seconds(count: int) -> float:
        began = time.perf_counter()
        client.run(client.flood(bench.stack.port, "", count, insert))
        return time.perf_counter() - began

    seconds(WARM_RUNS)
    return RUNS / seconds(RUNS)
