"""What it costs that PostgreSQL keeps tenants apart: the same requests with and without."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from tests.bench import client
from tests.bench.client import Connection
from tests.bench.figures import Row, at_least
from tests.bench.rows.http import BODY
from tests.bench.setting import Bench
from tests.factories import PASSWORD

REQUESTS, WARM = 2_000, 300
# The runs that were started are for nobody: there is no worker.
FORGET = "UPDATE orchestration_run SET status = 'cancelled', due_at = NULL WHERE status = 'pending'"
Ask = Callable[[Connection], Awaitable[Any]]


def measure(bench: Bench) -> list[Row]:
    """Requests per second of a read and of a start, in turns with the floor's so that the machine's moods fall on
    both."""
    path = f"/api/v1/workflows/{bench.noop_workflow().pk}"

    async def read(connection: Connection) -> None:
        (await connection.request("GET", path)).json(200)

    async def start(connection: Connection) -> None:
        (await connection.request("POST", f"{path}/runs", BODY)).json(201)

    found: dict[str, list[list[float]]] = {"isolated": [[], []], "open": [[], []]}
    for _ in range(bench.trials):
        for name, application in (
            ("isolated", "config.launch.web.application:application"),
            ("open", "tests.bench.open_web:application"),
        ):
            with bench.stack.web(application):
                token = client.run(client.log_in(bench.stack.port, bench.user.email, PASSWORD))
                for nth, ask in enumerate((read, start)):
                    _per_s(bench, token, ask, WARM)
                    found[name][nth].append(_per_s(bench, token, ask, REQUESTS))
            bench.database.do(FORGET)
    target, floor = (at_least(0.9, of_floor=True),), "the same without isolation in the database"
    return [
        Row(f"isolation-{name}", what, "req/s", mine, target, floor, without, in_turns=True)
        for name, what, mine, without in zip(
            ("read", "start"),
            ("reads with row-level security", "starts of runs with row-level security"),
            found["isolated"],
            found["open"],
            strict=True,
        )
    ]


def _per_s(bench: Bench, token: str, ask: Ask, count: int) -> float:
    began = time.perf_counter()
    client.run(client.flood(bench.stack.port, token, count, ask))
    return count / (time.perf_counter() - began)
