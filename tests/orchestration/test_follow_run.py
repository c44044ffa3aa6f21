"""A run's SSE stream: its updates hold every event once; a window repeats the last ones; a resume has no gap."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from orchestration.live.updates import MAX_UPDATE_BYTES, count_fitting
from orchestration.pacer import MAX_UPDATE_BURST, MIN_INTERVAL_UPDATES_S, UpdatePacer
from orchestration.program.context import RunContext
from orchestration.program.registry import program
from tests.factories import make_user, token_of
from tests.front import Front, OpenSocket, frames
from tests.orchestration.running import EngineThread, ended, start

if TYPE_CHECKING:
    from accounts.models import Tenant
    from orchestration.models import Run

Follow = Callable[..., list[dict[str, Any]]]


@program("test.notes")
async def notes(ctx: RunContext) -> str:
    """Records so many events of so many characters, a step each."""

    async def note() -> None:
        ctx.emit("note", {"text": "x" * ctx.run.input["size"]})

    for number in range(ctx.run.input["count"]):
        await ctx.step(f"note-{number}", note)
        await ctx.sleep(f"nap-{number}", ctx.run.input["apart_s"])
    return "done"


@pytest.fixture
def follow(front: Front, acme: "Tenant") -> Follow:
    """Factory: the frames of a run's stream to its end."""
    token = token_of(make_user(acme))

    def stream(run: "Run", query: str = "", **headers: str) -> list[dict[str, Any]]:
        return frames(front.request("GET", f"/api/v1/runs/{run.pk}/stream{query}", token, headers=headers))

    return stream


def seqs(messages: list[dict[str, Any]]) -> list[list[int]]:
    """The seqs of each update's events."""
    return [[event["seq"] for event in one["events"]] for one in messages if one["type"] == "update"]


def flat(lists: list[list[int]]) -> list[int]:
    """All of them, in order."""
    return [number for one in lists for number in one]


def test_each_event_comes_once_while_the_run_goes_on(engine: EngineThread, acme: "Tenant", follow: Follow) -> None:
    run = start(acme, "test.notes", {"count": 12, "size": 1, "apart_s": 0.02})
    first, *updates, last = follow(run)
    assert (first["type"], last["type"], last["status"]) == ("connected", "complete", "completed")
    seen = seqs(updates)
    assert len(seen) > 1 and flat(seen) == list(range(1, len(flat(seen)) + 1))
    assert [int(one["id"]) for one in updates] == [one[-1] for one in seen]
    assert updates[-1]["run"]["result"] == "done" and updates[-1]["run"]["status"] == "completed"


def test_a_stream_of_a_finished_run_holds_all_its_events_once(
    engine: EngineThread, acme: "Tenant", follow: Follow
) -> None:
    run = ended(start(acme, "test.notes", {"count": 15, "size": 1, "apart_s": 0}))
    total = flat(seqs(follow(run)))[-1]
    assert seqs(follow(run)) == [list(range(1, total + 1))]
    assert seqs(follow(run, **{"Last-Event-ID": "4"})) == [list(range(5, total + 1))]
    assert seqs(follow(run, "?after=4")) == [list(range(5, total + 1))]
    assert seqs(follow(run, **{"Last-Event-ID": str(total)})) == []


@pytest.mark.parametrize("place", ["500", "2147483647"])
def test_a_place_that_the_run_has_not_reached_is_the_beginning(
    engine: EngineThread, acme: "Tenant", follow: Follow, front: Front, place: str
) -> None:
    run = start(acme, "test.notes", {"count": 12, "size": 1, "apart_s": 0.02})
    live = flat(seqs(follow(run, **{"Last-Event-ID": place})))
    assert live == list(range(1, len(live) + 1)) and len(live) > 12
    assert flat(seqs(follow(run, f"?after={place}"))) == live, "and of a run that has ended"
    assert flat(seqs(follow(run, f"?after={place}&window=3"))) == live
    token = token_of(make_user(acme))
    messages = OpenSocket(front, f"/ws/runs/{run.pk}/monitor?after={place}&token={token}").rest()
    assert flat(seqs(messages[:-1])) == live and messages[0]["seq"] == 0


@pytest.mark.parametrize("place", ["0" * 5_000 + "2", "2"])
def test_a_monitor_reads_a_place_whole(engine: EngineThread, acme: "Tenant", front: Front, place: str) -> None:
    run, token = ended(start(acme, "test.notes", {"count": 2, "size": 1, "apart_s": 0})), token_of(make_user(acme))
    messages = OpenSocket(front, f"/ws/runs/{run.pk}/monitor?after={place}&token={token}").rest()
    assert messages[0]["seq"] == 2 and flat(seqs(messages[:-1]))[0] == 3


@pytest.mark.parametrize("place", ["-1", "x", "1.5", "1_0"])
def test_a_monitor_refuses_a_bad_place(acme: "Tenant", front: Front, place: str) -> None:
    run, token = start(acme, "test.notes", {}), token_of(make_user(acme))
    (close,) = OpenSocket(front, f"/ws/runs/{run.pk}/monitor?after={place}&token={token}").rest()
    assert close["code"] == 1008 and "after" in close["reason"]


def test_a_window_repeats_the_last_events(engine: EngineThread, acme: "Tenant", follow: Follow) -> None:
    run = ended(start(acme, "test.notes", {"count": 15, "size": 1, "apart_s": 0}))
    total = flat(seqs(follow(run)))[-1]
    assert seqs(follow(run, f"?window=10&after={total - 1}")) == [list(range(total - 9, total + 1))]
    assert seqs(follow(run, f"?window=0&after={total - 1}")) == [[total]]
    assert seqs(follow(run, f"?window=10&after={total}")) == []


@pytest.mark.parametrize("query", ["?window=ten", "?window=1.5", "?after=x", "?after=-1"])
def test_a_bad_place_is_refused(front: Front, acme: "Tenant", query: str) -> None:
    run = start(acme, "test.notes", {})
    answer = front.request("GET", f"/api/v1/runs/{run.pk}/stream{query}", token_of(make_user(acme)))
    assert answer.status_code == 400 and answer.json()["errorCode"] == "VALIDATION_ERROR"


def test_an_update_has_a_size_that_clients_take(engine: EngineThread, acme: "Tenant", follow: Follow) -> None:
    run = ended(start(acme, "test.notes", {"count": 5, "size": MAX_UPDATE_BYTES // 3, "apart_s": 0}))
    seen = seqs(follow(run))
    assert len(seen) > 1 and flat(seen) == list(range(1, flat(seen)[-1] + 1))


def test_five_updates_pass_at_once_and_then_one_each_interval() -> None:
    pacer, now = UpdatePacer(), 100.0
    for _ in range(MAX_UPDATE_BURST):
        assert pacer.delay(now) == 0
        pacer.count(now)
    for _ in range(3):
        assert pacer.delay(now) == pytest.approx(MIN_INTERVAL_UPDATES_S)
        now += pacer.delay(now)
        pacer.count(now)


def test_after_a_quiet_moment_five_pass_again_and_no_more() -> None:
    pacer, now = UpdatePacer(), 100.0
    for _ in range(MAX_UPDATE_BURST):
        pacer.count(now)
    now += 3_600
    for _ in range(MAX_UPDATE_BURST):
        assert pacer.delay(now) == pytest.approx(0)
        pacer.count(now)
    assert pacer.delay(now) == pytest.approx(MIN_INTERVAL_UPDATES_S)


@pytest.mark.parametrize(
    ("sizes", "repeats", "count"),
    [
        ([1, 1, 1], 0, 3),
        ([MAX_UPDATE_BYTES, 1], 0, 1),
        ([MAX_UPDATE_BYTES + 1, 1], 0, 1),
        ([MAX_UPDATE_BYTES, 1, 1], 1, 2),
        ([MAX_UPDATE_BYTES, MAX_UPDATE_BYTES, 1], 2, 3),
        ([], 0, 0),
    ],
)
def test_an_update_holds_what_fits_and_at_least_one_new_event(sizes: list[int], repeats: int, count: int) -> None:
    assert count_fitting([b"x" * size for size in sizes], repeats) == count


FOLLOWERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%orchestration_run%' AND state = 'idle'
"""


def test_connections_that_a_restart_has_ended_break_no_stream(
    engine: EngineThread, acme: "Tenant", follow: Follow
) -> None:
    run = ended(start(acme, "test.notes", {"count": 1, "size": 1, "apart_s": 0}))
    assert follow(run)[-1]["type"] == "complete"
    with connection.cursor() as cursor:
        cursor.execute(FOLLOWERS)
        assert cursor.fetchall(), "there was a connection to end"
    assert follow(run)[-1]["type"] == "complete"
