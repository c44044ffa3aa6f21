"""How soon a waiting client sees the end of the run that it has started, one run at a time."""

import time

import orjson

from tests.bench import client, floors
from tests.bench.client import Connection
from tests.bench.figures import Row, at_most, percentile
from tests.bench.setting import Bench
from tests.factories import PASSWORD

RUNS, WARM_RUNS = 100, 20
BODY = orjson.dumps({"input": {}, "mode": "auto"})
WAIT = b"Prefer: wait=10\r\n"


def measure(bench: Bench) -> list[Row]:
    """Half of the runs, and nearly all of them, are seen to be completed within this time."""
    path = f"/api/v1/workflows/{bench.noop_workflow().pk}/runs"
    with bench.stack.worker(), bench.stack.web():
        token = client.run(client.log_in(bench.stack.port, bench.user.email, PASSWORD))
        client.run(_one_by_one(bench.stack.port, token, path, WARM_RUNS))
        trials = [client.run(_one_by_one(bench.stack.port, token, path, RUNS)) for _ in range(bench.trials)]
        bare = [floors.bare_rows_ms(RUNS) for _ in range(bench.trials)]
    what, floor_what = "POST until a waiting client sees the 3-step run completed", "one bare insert and select"
    return [
        _row("latency-p50", f"{what}, p50", 0.5, trials, bare, floor_what, (at_most(15),)),
        _row("latency-p95", f"{what}, p95", 0.95, trials, bare, floor_what, ()),
    ]


def _row(
    name: str,
    what: str,
    share: float,
    trials: list[list[float]],
    bare: list[list[float]],
    floor_what: str,
    targets: tuple,
) -> Row:
    values = [percentile(trial, share) for trial in trials]
    return Row(name, what, "ms", values, targets, floor_what, [percentile(trial, share) for trial in bare])


async def _one_by_one(port: int, token: str, path: str, count: int) -> list[float]:
    """The milliseconds of each run."""
    connection = await Connection.open(port, token)
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        run = (await connection.request("POST", path, BODY)).json(201)
        while run["status"] != "completed":
            run = (await connection.request("GET", f"/api/v1/runs/{run['id']}", more=WAIT)).json(200)
        taken.append((time.perf_counter() - began) * 1000)
    connection.close()
    return taken
