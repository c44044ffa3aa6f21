"""How soon a client that polls sees its job succeeded, one job at a time."""

import time

import orjson

from tests.bench import client, floors
from tests.bench.client import Connection
from tests.bench.figures import Row, at_most, percentile
from tests.bench.setting import Bench
from tests.factories import PASSWORD

JOBS, WARM_JOBS = 100, 20
BODY = orjson.dumps({"input": {"echo": "hello"}})
RUN, JOB = "/api/ai/agents/dummy/run/", "/api/ai/jobs/"


def measure(bench: Bench) -> list[Row]:
    """Half of the jobs of the agent `dummy`, and nearly all of them, are seen to have succeeded within this time."""
    with bench.stack.worker(), bench.stack.web():
        token = client.run(client.log_in(bench.stack.port, bench.user.email, PASSWORD))
        client.run(_one_by_one(bench.stack.port, token, WARM_JOBS))
        trials = [client.run(_one_by_one(bench.stack.port, token, JOBS)) for _ in range(bench.trials)]
        bare = [percentile(floors.bare_rows_ms(JOBS), 0.5) for _ in range(bench.trials)]
    what, floor_what = "POST of a dummy job until a polling client sees it succeeded", "one bare insert and select"
    return [
        Row(
            f"job-p{share * 100:.0f}", f"{what}, p{share * 100:.0f}", "ms",
            [percentile(trial, share) for trial in trials], targets, floor_what, bare,
        )
        for share, targets in ((0.5, (at_most(40),)), (0.95, ()))
    ]  # fmt: skip


async def _one_by_one(port: int, token: str, count: int) -> list[float]:
    """The milliseconds of each job."""
    connection = await Connection.open(port, token)
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        job_id = (await connection.request("POST", RUN, BODY)).json(202)["job_id"]
        while (await connection.request("GET", f"{JOB}{job_id}/")).json(200)["status"] != "succeeded":
            pass
        taken.append((time.perf_counter() - began) * 1000)
    connection.close()
    return taken
