"""R3: Redis goes away under load and comes back empty."""

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import httpx

from tests.durability.load import Load
from tests.durability.promises import check_all_completed, check_effects, check_everything
from tests.durability.report import Report, percentile, spread
from tests.durability.stand import Background, Member, Stand, five_tools

ANSWER_S = 1.0
FINISH_S = 30.0
STREAMS = 10


@dataclass
class Stream:
    """What one SSE client saw of its run."""

    run: str
    types: list[str] = field(default_factory=list)
    seqs: list[int] = field(default_factory=list)
    ended_with: str = ""


@contextmanager
def gone(stand: Stand, away_s: float) -> Iterator[None]:
    """Redis is ended, and afterwards started on an empty folder."""
    stand.supervise("stopProcess", "servers:redis")
    shutil.rmtree(stand.product.data_dir / "redis")
    (stand.product.data_dir / "redis").mkdir(mode=0o700)
    yield
    time.sleep(away_s)
    stand.supervise("startProcess", "servers:redis")


@contextmanager
def frozen(stand: Stand, away_s: float) -> Iterator[None]:
    """Redis takes connections and answers none of them."""
    pid = stand.pid("redis")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
        time.sleep(away_s)
    finally:
        os.kill(pid, signal.SIGCONT)


def lose_broker(stand: Stand, dice: random.Random, away_s: float) -> Report:
    """Every start is answered at once, everything accepted finishes, and those who watch see the end."""
    report = Report("R3", f"Redis away for {away_s:.0f} s under load, back empty: nothing lost, no answer late")
    return _lose(stand, dice, report, away_s, gone)


def freeze_broker(stand: Stand, dice: random.Random, away_s: float) -> Report:
    """The same while Redis is there but says nothing."""
    report = Report("R3b", f"Redis frozen for {away_s:.0f} s under load: nothing lost, no answer late")
    return _lose(stand, dice, report, away_s, frozen)


def _lose(
    stand: Stand,
    dice: random.Random,
    report: Report,
    away_s: float,
    without: Callable[[Stand, float], AbstractContextManager[None]],
) -> Report:
    stand.both_engines()
    load = Load(stand, dice)
    time.sleep(2)
    with without(stand, away_s):
        began = time.time()
        streams, watching = _watch(stand, away_s)
    ended = began + away_s
    time.sleep(2)
    runs = load.end()
    _check_answers(report, load, began, ended)
    check_all_completed(stand, report, runs, patience_s=FINISH_S)
    check_effects(stand, report, runs, [])
    _check_progress(stand, report, runs, began, ended)
    for watcher in watching:
        watcher.end(away_s + 60)
    report.none("streams that did not see the end", [stream for stream in streams if not _whole(stream)])
    check_everything(stand, report)
    return report


def _watch(stand: Stand, away_s: float) -> tuple[list[Stream], list[Background]]:
    """Clients that follow runs: half of them end while Redis is away, half of them after it is back."""
    flow = stand.workflow(*five_tools())
    delays = [away_s * 1000 / (10 if number % 2 else 4) for number in range(STREAMS)]
    streams = [Stream(stand.founder.start(flow, {"delay_ms": delay})) for delay in delays]
    return streams, [Background(lambda one=one: follow(stand.founder.twin(), one)) for one in streams]


def follow(member: Member, stream: Stream, patience_s: float = 120.0) -> None:
    """Read the run's SSE stream to its end; a broken one is taken up again with Last-Event-ID, as browsers do."""
    end = time.monotonic() + patience_s
    while not stream.ended_with and time.monotonic() < end:
        last = {"Last-Event-ID": str(stream.seqs[-1])} if stream.seqs else {}
        try:
            with member.http.stream("GET", f"/api/v1/runs/{stream.run}/stream", headers=last, timeout=30) as answer:
                if answer.status_code == 200:
                    for line in answer.iter_lines():
                        _read(stream, line)
        except httpx.TransportError:
            pass
        if not stream.ended_with:
            time.sleep(0.5)


def _read(stream: Stream, line: str) -> None:
    if not line.startswith("data: "):
        return
    body = json.loads(line.removeprefix("data: "))
    stream.types.append(body["type"])
    seen = stream.seqs[-1] if stream.seqs else 0
    stream.seqs += [event["seq"] for event in body.get("events", ()) if event["seq"] > seen]
    if body["type"] == "complete":
        stream.ended_with = body["status"]


def _whole(stream: Stream) -> bool:
    """It ended well, and no event was left out."""
    return stream.ended_with == "completed" and stream.seqs == list(range(1, len(stream.seqs) + 1))


def _check_answers(report: Report, load: Load, began: float, ended: float) -> None:
    during = [answer for answer in load.answers if began <= answer.at <= ended]
    took = [answer.took for answer in during]
    report.figures |= {"POSTs meanwhile": len(during), "answered p50 / p95 / max s": spread(took)}
    report.check(bool(during), "nothing was asked while Redis was away")
    report.none("neither 201 nor 503", [answer for answer in during if answer.status not in (201, 503)])
    report.none("answers later than 1 s", [answer for answer in during if answer.took > ANSWER_S])
    report.figures["503"] = sum(answer.status == 503 for answer in during)
    report.none("runs not accepted", range(load.given_up))


def _check_progress(stand: Stand, report: Report, runs: list[str], began: float, ended: float) -> None:
    """Runs went on while Redis was away: engines find them by polling."""
    times = """
    SELECT extract(epoch FROM started_at - created_at)::float8 AS waited,
        extract(epoch FROM finished_at)::float8 AS done
    FROM orchestration_run WHERE id = ANY(%s::uuid[]) AND created_at BETWEEN to_timestamp(%s) AND to_timestamp(%s)
    """
    rows = stand.rows(times, runs, began, ended)
    report.figures["finished meanwhile"] = sum(row["done"] is not None and row["done"] < ended for row in rows)
    waited = [row["waited"] for row in rows if row["waited"] is not None]
    report.figures["claimed after p50 / p95 / max s"] = spread(waited)
    report.check(percentile(waited, 0.95) <= 2.0, "runs wait for more than 2 s to be claimed while Redis is away")
