"""Monitors over WebSocket: how soon a frame is there, whether a crowd loses any, and what one of a crowd costs."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from websockets.asyncio.client import connect

from tests.bench import client, load, programs
from tests.bench.figures import Row, at_most, percentile
from tests.bench.setting import Bench
from tests.bench.stack import Program
from tests.factories import PASSWORD

EVENTS, APART_S = 40, 0.1
CROWDS = {"500 monitors on one run": (1, 500), "1,000 monitors over 100 runs": (100, 10)}
CROWD_EVENTS, MIN_INTERVAL_CROWD_S = 10, 1.0
HOLD_S = 60.0  # a run is there to be watched until its watchers are
AT_ONCE = 50  # handshakes under way


@dataclass
class Watcher:
    """One client: what it saw, and when."""

    run_id: UUID
    seen: list[int] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)

    async def follow(self, port: int, token: str, doors: asyncio.Semaphore, ready: asyncio.Queue[None]) -> None:
        """Watch to the end."""
        url = f"ws://127.0.0.1:{port}/ws/runs/{self.run_id}/monitor?after=0"
        headers = {"Authorization": f"Bearer {token}"}
        async with doors:
            socket = await connect(url, additional_headers=headers, proxy=None, compression=None, ping_interval=None)
            first = orjson.loads(await socket.recv())
            assert first["type"] == "connected", first
        ready.put_nowait(None)
        async for text in socket:
            arrived, told = time.time(), orjson.loads(text)
            for event in told.get("events", ()):
                self.seen.append(event["seq"])
                if event["kind"] == "bench_tick":
                    self.late_ms.append((arrived - datetime.fromisoformat(event["ts"]).timestamp()) * 1000)


def measure(bench: Bench) -> list[Row]:
    """Lateness for one monitor; loss and memory for many."""
    with bench.stack.worker():
        with bench.stack.web():
            token = client.run(client.log_in(bench.stack.port, bench.user.email, PASSWORD))
            _alone(bench, token)
            trials = [_alone(bench, token) for _ in range(bench.trials)]
        crowds = {name: [_crowd(bench, token, *size) for _ in range(bench.trials)] for name, size in CROWDS.items()}
    bare = {name: _bare_kb(bench, runs * each) for name, (runs, each) in CROWDS.items()}
    what = "event emitted until a WebSocket monitor has it"
    rows = [
        Row(f"monitor-p{share * 100:.0f}", f"{what}, p{share * 100:.0f}", "ms", values, (at_most(most),))
        for share, most in ((0.5, 15), (0.95, 50))
        for values in [[percentile(trial, share) for trial in trials]]
    ]
    for name, found in crowds.items():
        lost, each_kb = [one["lost"] for one in found], [one["each_kb"] for one in found]
        rows.append(Row(f"lost-{name.split()[0]}", f"frames lost or repeated, {name}", "", lost, (at_most(0),)))
        what, floor_what = f"memory per monitor, {name}", "a socket of the same server whose application only waits"
        rows.append(Row(f"kb-{name.split()[0]}", what, "kB", each_kb, (at_most(100),), floor_what, [bare[name]]))
    return rows


def _alone(bench: Bench, token: str) -> list[float]:
    """The milliseconds between each event's own time and its arrival, for one client."""
    (watcher,) = client.run(_watched(bench, token, 1, 1, EVENTS, APART_S))["watchers"]
    return list(watcher.late_ms)


def _crowd(bench: Bench, token: str, runs: int, each: int) -> dict[str, float]:
    """{lost: frames that some client missed or got twice, each_kb: memory that a client costs the server}; of a server
    that has had no other crowd, since what one has needed is not given back.
    """
    with bench.stack.web() as web:
        client.run(client.log_in(bench.stack.port, bench.user.email, PASSWORD))
        client.run(_watched(bench, token, 1, 1, 1, APART_S))
        before = web.memory_mb()
        told = client.run(_watched(bench, token, runs, each, CROWD_EVENTS, MIN_INTERVAL_CROWD_S, web))
    most: dict[UUID, int] = {}
    for watcher in told["watchers"]:
        most[watcher.run_id] = max(most.get(watcher.run_id, 0), len(watcher.seen))
    lost = sum(
        len(set(range(1, most[one.run_id] + 1)) ^ set(one.seen)) + len(one.seen) - len(set(one.seen))
        for one in told["watchers"]
    )
    return {"lost": float(lost), "each_kb": (told["memory_mb"] - before) * 1024 / len(told["watchers"])}


def _bare_kb(bench: Bench, count: int) -> float:
    """What so many sockets cost the server by itself, each."""
    with bench.stack.web("tests.bench.floor_socket:application") as web:
        before = web.memory_mb()
        return (client.run(_dialled(bench.stack.port, count, web)) - before) * 1024 / count


async def _dialled(port: int, count: int, web: Program) -> float:
    """The server's memory once all of them are open."""
    doors = asyncio.Semaphore(AT_ONCE)

    async def dial() -> Any:
        async with doors:
            socket = await connect(f"ws://127.0.0.1:{port}/", proxy=None, compression=None, ping_interval=None)
            await socket.recv()
            return socket

    sockets = await asyncio.gather(*(dial() for _ in range(count)))
    memory_mb = await asyncio.to_thread(web.memory_mb)
    await asyncio.gather(*(socket.close() for socket in sockets))
    return memory_mb


async def _watched(
    bench: Bench, token: str, runs: int, each: int, events: int, apart_s: float, web: Program | None = None
) -> dict[str, Any]:
    """Watchers of runs that begin once all of them are there."""
    given = {"events": events, "apart_s": apart_s}
    batch = await asyncio.to_thread(load.queue, bench, runs, kind=programs.AWAITED, input=given)
    watchers = [Watcher(run_id) for run_id in batch.ids for _ in range(each)]
    doors, ready = asyncio.Semaphore(AT_ONCE), asyncio.Queue[None]()
    following = [asyncio.create_task(one.follow(bench.stack.port, token, doors, ready)) for one in watchers]
    async with asyncio.timeout(HOLD_S):
        for _ in watchers:
            await ready.get()
    memory_mb = 0.0 if web is None else await asyncio.to_thread(web.memory_mb)
    await asyncio.to_thread(_let_go, bench, batch.ids)
    await asyncio.gather(*following)
    await asyncio.to_thread(load.check, bench, batch.ids)
    return {"watchers": watchers, "memory_mb": memory_mb}


def _let_go(bench: Bench, ids: list[UUID]) -> None:
    from orchestration.runs.commands import send_event

    for id in ids:
        send_event(id, bench.tenant.pk, "go", {})
