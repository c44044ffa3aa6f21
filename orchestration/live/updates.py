"""A run's progress for SSE streams and monitors: the bodies connected, update, complete and error of seed 000 §14.

An update holds the run's state and the events since the last update, each once (RULINGS §6).
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any
from uuid import UUID

from config.http.renderers import dumps
from orchestration.live.change_listener import COMMENT_S, STATE, followers, frame
from orchestration.models import FINAL
from orchestration.serializers.runs import EventSerializer

MAX_BURST, MIN_INTERVAL_S = 5, 0.05
MAX_EVENTS, MAX_WINDOW = 1_000, 100
MAX_UPDATE_BYTES = 256 * 1024  # of events in one update: clients refuse messages of more than about a megabyte
END_EVENTS = frozenset({"run_completed", "run_failed", "run_cancelled"})
EVENTS = f"""
SELECT run_id, seq, kind, step, payload, ts FROM orchestration_runevent
WHERE run_id = %(run)s AND seq > least(
    %(after)s, (SELECT max(seq) FROM orchestration_runevent WHERE run_id = %(run)s) - %(window)s)
ORDER BY seq LIMIT {MAX_EVENTS}
"""
LAST_SEQ = "SELECT coalesce(max(seq), 0) AS seq FROM orchestration_runevent WHERE run_id = %s"


class Pacer:
    """Lets MAX_BURST updates pass at once after a quiet moment, then one every MIN_INTERVAL_S."""

    def __init__(self) -> None:
        self.next_at = 0.0

    def delay(self, now: float) -> float:
        """Seconds until the next update may be sent."""
        return max(self.next_at - now, 0.0)

    def count(self, now: float) -> None:
        """An update was sent."""
        self.next_at = max(self.next_at, now - (MAX_BURST - 1) * MIN_INTERVAL_S) + MIN_INTERVAL_S


async def read_changes(run_id: UUID, after: int, window: int = 0) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The run's state and its events after this seq, at least the last `window` of them, at most MAX_EVENTS."""
    run = (await followers.read(STATE, [run_id]))[0]
    events = await followers.read(EVENTS, {"run": run_id, "after": after, "window": window})
    if run["status"] not in FINAL and any(event["kind"] in END_EVENTS for event in events):
        run = (await followers.read(STATE, [run_id]))[0]  # it ended between the two statements
    return run, events


async def run_stream(run_id: UUID, after: int, window: int) -> AsyncGenerator[bytes, None]:
    """The SSE frames: connected, update…, complete; `id:` is the last seq that a frame covers.

    Who names a place that is none of this run's gets everything from the beginning.
    """
    yield frame({"type": "connected", "runId": run_id})
    loop, pacer, status = asyncio.get_running_loop(), Pacer(), None
    quiet_since = loop.time()
    seen = await _place(run_id, after)
    with followers.follow(run_id) as bell:
        while True:
            await asyncio.sleep(pacer.delay(loop.time()))
            run, rows = await read_changes(run_id, seen, window)
            events = [dumps(EventSerializer.render(row)) for row in rows]
            count = fitting(events, sum(row["seq"] <= seen for row in rows))
            last = max([seen, *(row["seq"] for row in rows[:count])])
            is_last = count == len(events) < MAX_EVENTS
            if last > seen or status not in (None, run["status"]):
                yield b"id: %d\ndata: %b\n\n" % (last, update(run, events[:count], is_last))
                pacer.count(loop.time())
                quiet_since = loop.time()
            elif loop.time() - quiet_since >= COMMENT_S:
                yield b": still here\n\n"
                quiet_since = loop.time()
            seen, status = last, run["status"]
            if not is_last:
                continue
            if status in FINAL:
                yield frame({"type": "complete", "status": status})
                return
            await followers.wait(bell, COMMENT_S - (loop.time() - quiet_since))


async def _place(run_id: UUID, after: int) -> int:
    """This seq when the run has come so far; else the beginning."""
    (row,) = await followers.read(LAST_SEQ, [run_id])
    return after if after <= row["seq"] else 0


def fitting(events: Sequence[bytes], repeats: int = 0) -> int:
    """How many of these events go into one update: the repeats, one new one, and what else has room."""
    size = 0
    for count, event in enumerate(events):
        size += len(event)
        if size > MAX_UPDATE_BYTES and count > repeats:
            return count
    return len(events)


def update(run: dict[str, Any], events: Sequence[bytes], is_last: bool) -> bytes:
    """The body of an update, made of events that are JSON already; the result comes with the last ones alone."""
    shown = dumps({"id": run["id"], "status": run["status"], "mode": run["mode"]})[:-1]
    result = dumps(run["result"]) if is_last else b"null"
    return b'{"type":"update","run":%b,"result":%b},"events":[%b]}' % (shown, result, b",".join(events))
