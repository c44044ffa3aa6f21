"""The rows of the table by name: each gives its figures, measured on a bench."""

from collections.abc import Callable

from tests.bench.figures import Row
from tests.bench.rows import (
    death,
    http,
    isolation,
    job,
    latency,
    memory,
    model,
    monitor,
    noop,
    policies,
    sandbox,
    speech,
    stream,
    team,
)
from tests.bench.setting import Bench

ROWS: dict[str, Callable[[Bench], list[Row]]] = {
    "noop": noop.measure,
    "http": http.measure,
    "isolation": isolation.measure,
    "model": model.measure,
    "latency": latency.measure,
    "stream": stream.measure,
    "speech": speech.measure,
    "monitor": monitor.measure,
    "team": team.measure,
    "job": job.measure,
    "sandbox": sandbox.measure,
    "death": death.measure,
    "memory": memory.measure,
    "policies": policies.measure,
}
