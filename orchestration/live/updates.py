"""A run's progress for SSE streams and monitors: the bodies connected, update, complete and error.

An update holds the run's state and the events since the last update, each once.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from uuid import UUID

from config.database.pipeline import Row
from config.http.renderers import dumps
from orchestration.live.change_listener import STATE, followers
from orchestration.live.sse import COMMENT, COMMENT_S, sse_frame
from orchestration.models import FINAL
from orchestration.pacer import UpdatePacer
from orchestration.serializers.runs import EventSerializer

MAX_EVENTS, MAX_WINDOW = 1_000, 100
MAX_UPDATE_BYTES = 256 * 1024  # of events in one update: clients refuse messages of more than about a megabyte
END_EVENTS = frozenset({"run_completed", "run_failed", "run_cancelled"})
EVENTS = """
SELECT run_id, seq, kind, step, payload, ts FROM orchestration_runevent
WHERE run_id = %(run)s AND seq > least(
    %(after)s, (SELECT max(seq) FROM orchestration_runevent WHERE run_id = %(run)s) - %(window)s)
ORDER BY seq LIMIT %(max_events)s
"""
LAST_SEQ = "SELECT coalesce(max(seq), 0) AS seq FROM orchestration_runevent WHERE run_id = %s"


async def read_changes(run_id: UUID, after: int, window: int = 0) -> tuple[Row, list[Row]]:
    """The run's state and its events after this seq, at least the last `window` of them, at most MAX_EVENTS."""
    run = (await followers.read(STATE, [run_id]))[0]
    values = {"run": run_id, "after": after, "window": window, "max_events": MAX_EVENTS}
    events = await followers.read(EVENTS, values)
    if run["status"] not in FINAL and any(event["kind"] in END_EVENTS for event in events):
        run = (await followers.read(STATE, [run_id]))[0]  # it ended between the two statements
    return run, events


async def run_stream(run_id: UUID, after: int, window: int) -> AsyncGenerator[bytes, None]:
    """The SSE frames: connected, update…, complete; `id:` is the last seq that a frame covers.

    Who names a place that is none of this run's gets everything from the beginning.
    """
    yield sse_frame({"type": "connected", "runId": run_id})
    loop, pacer, status = asyncio.get_running_loop(), UpdatePacer(), None
    quiet_since = loop.time()
    last_seq = await _start_seq(run_id, after)
    with followers.follow(run_id) as event:
        while True:
            await asyncio.sleep(pacer.delay(loop.time()))
            run, rows = await read_changes(run_id, last_seq, window)
            events = [dumps(EventSerializer.render(row)) for row in rows]
            count = count_fitting(events, sum(row["seq"] <= last_seq for row in rows))
            seq = max([last_seq, *(row["seq"] for row in rows[:count])])
            is_last = count == len(events) < MAX_EVENTS
            if seq > last_seq or status not in (None, run["status"]):
                yield b"id: %d\ndata: %b\n\n" % (seq, update(run, events[:count], is_last))
                pacer.count(loop.time())
                quiet_since = loop.time()
            elif loop.time() - quiet_since >= COMMENT_S:
                yield COMMENT
                quiet_since = loop.time()
            last_seq, status = seq, run["status"]
            if not is_last:
                continue
            if status in FINAL:
                yield sse_frame({"type": "complete", "status": status})
                return
            await followers.wait(event, COMMENT_S - (loop.time() - quiet_since))


async def _start_seq(run_id: UUID, after: int) -> int:
    """This seq when the run has come so far; else the beginning."""
    (row,) = await followers.read(LAST_SEQ, [run_id])
    return after if after <= row["seq"] else 0


def count_fitting(events: Sequence[bytes], repeats: int = 0) -> int:
    """How many of these events go into one update: the repeats, one new one, and what else has room."""
    size = 0
    for count, event in enumerate(events):
        size += len(event)
        if size > MAX_UPDATE_BYTES and count > repeats:
            return count
    return len(events)


def update(run: Row, events: Sequence[bytes], is_last: bool) -> bytes:
    """The body of an update, made of events that are JSON already; the result comes with the last ones alone."""
    head = dumps({"id": run["id"], "status": run["status"], "mode": run["mode"]})[:-1]
    result = dumps(run["result"]) if is_last else b"null"
    return b'{"type":"update","run":%b,"result":%b},"events":[%b]}' % (head, result, b",".join(events))
