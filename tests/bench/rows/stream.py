"""How long an event takes from the program that emits it to a client that follows the run."""

from datetime import datetime

from tests.bench import client, floors, load, programs
from tests.bench.client import Connection
from tests.bench.figures import Row, at_most, percentile
from tests.bench.setting import Bench
from tests.factories import PASSWORD

EVENTS, WARM_EVENTS = 40, 5
APART_S = 0.1  # a stream sends an update at most every 50 ms
MIN_INTERVAL_FLOOR_S = 0.005


def measure(bench: Bench) -> list[Row]:
    """Half of the events, and nearly all of them, are with the client within this time."""
    with bench.stack.worker(), bench.stack.web():
        token = client.run(client.log_in(bench.stack.port, bench.user.email, PASSWORD))
        _lateness_ms(bench, token, WARM_EVENTS)
        trials = [_lateness_ms(bench, token, EVENTS) for _ in range(bench.trials)]
        told = [client.run(floors.messages_ms(EVENTS, MIN_INTERVAL_FLOOR_S)) for _ in range(bench.trials)]
    what, floor_what = "event emitted until an SSE client has it", "a Redis publish to its subscriber"
    return [
        Row(
            f"stream-p{share * 100:.0f}",
            f"{what}, p{share * 100:.0f}",
            "ms",
            [percentile(trial, share) for trial in trials],
            targets,
            floor_what,
            [percentile(trial, share) for trial in told],
            "the commit that makes it true included",
        )
        for share, targets in ((0.5, (at_most(10),)), (0.95, ()))
    ]


def _lateness_ms(bench: Bench, token: str, events: int) -> list[float]:
    """The milliseconds between each event's own time and its arrival."""
    batch = load.queue(bench, 1, kind=programs.TICKER, input={"events": events, "apart_s": APART_S})
    late = client.run(_follow(bench.stack.port, token, f"/api/v1/runs/{batch.ids[0]}/stream"))
    load.wait_idle(bench)
    load.check(bench, batch.ids)
    if len(late) != events:
        raise load.Lost(f"The stream told of {len(late)} events, not {events}.")
    return late


async def _follow(port: int, token: str, path: str) -> list[float]:
    connection = await Connection.open(port, token)
    late, seen = [], 0
    async for arrived, body in connection.events(path):
        for event in body.get("events", ()):
            if event["seq"] > seen and event["kind"] == "bench_tick":
                late.append((arrived - datetime.fromisoformat(event["ts"]).timestamp()) * 1000)
        seen = max([seen, *(event["seq"] for event in body.get("events", ()))])
    connection.close()
    return late
