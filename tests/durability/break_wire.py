"""R4b: the engines' connections break after PostgreSQL has done what they asked for, before they hear of it."""

import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from config import embedded_servers
from config.launch.servers import startup
from tests.durability.load import Load
from tests.durability.promises import STRANDED, check_all_completed, check_effects, check_everything
from tests.durability.proxy import BrokenWire
from tests.durability.report import Report
from tests.durability.stand import AGENT, Kill, Stand, stood_up, tool

ONE_IN = 40
QUICK_MS = (0, 150)
ASKS, LIMITED = 20, 8
TAKEN_OVER_S = (0.0, 0.3, 0.6, 0.9)  # with the wire went the lock: others may take the runs at their next look
CALM_S = 15.0
PATIENCE_S = 40.0
USED = """
SELECT r.id::text AS run, r.input ->> 'mark' AS mark, r.llm_calls AS told, b.spent_calls AS spent
FROM orchestration_run r JOIN governance_budget b ON b.id = ANY(r.budget_ids)
WHERE r.id = ANY(%s::uuid[]) AND r.status = 'completed'
"""


@contextmanager
def stood_up_on_a_wire(dice: random.Random) -> Iterator[tuple[Stand, BrokenWire]]:
    """A stand whose product reaches PostgreSQL through a wire that can break."""
    with startup.temporary() as folder:
        socket = embedded_servers.postgres_socket_dir(folder) / f".s.PGSQL.{embedded_servers.PORT}"
        with BrokenWire(socket, dice) as wire:
            url = f"postgresql://postgres@127.0.0.1:{wire.port}/{embedded_servers.DATABASE_NAME}?sslmode=disable&gssencmode=disable"
            given = {"DATABASE_URL": url, "SECRET_KEY": uuid.uuid4().hex * 2}
            with stood_up(database=embedded_servers.database_url(folder), **given) as stand:
                yield stand, wire


def break_wire(dice: random.Random, storm_s: float) -> Report:
    """Whatever was in doubt is found out: nothing stranded, nothing counted twice, no cancel forgotten."""
    report = Report("R4b", f"one in {ONE_IN} of the engines' requests loses its answer for {storm_s:.0f} s")
    with stood_up_on_a_wire(random.Random(dice.random())) as (stand, wire):
        stand.both_engines()
        load, limited, cancelled = Load(stand, dice, clients=4, delay_ms=QUICK_MS), _limited(stand), []
        wire.one_in, end = ONE_IN, time.monotonic() + storm_s
        while time.monotonic() < end:
            cancelled.append(_cancelled(stand))
        wire.one_in = 0
        runs = load.end()
        report.figures |= {"runs": len(runs), "wires cut": len(wire.cuts), "cancelled": len(cancelled)}
        check_all_completed(stand, report, runs + limited, patience_s=PATIENCE_S)
        states = stand.settled(cancelled, CALM_S)
        report.none("cancels forgotten", [run for run in cancelled if states[run] != "cancelled"])
        report.none("stranded", stand.rows(STRANDED, CALM_S))
        check_effects(stand, report, runs, [Kill(at + late, "cut", []) for at in wire.cuts for late in TAKEN_OVER_S])
        _check_usage(stand, report, limited)
        check_everything(stand, report)
    return report


def _limited(stand: Stand) -> list[str]:
    """Runs that reserve and settle around each of their model calls."""
    ask = {"type": "agent", "config": {"agent_id": AGENT, "prompt": "<<delay: 150>> $input.mark"}}
    flow = stand.workflow(*({"id": f"ask{number}"} | ask for number in range(1, ASKS + 1)))
    marks = [uuid.uuid4().hex for _ in range(LIMITED)]
    return [stand.founder.start(flow, {"mark": mark}, llm_calls_limit=50, cost_limit_cents=1000) for mark in marks]


def _cancelled(stand: Stand) -> str:
    """The id of a run that was cancelled in the middle of a long call."""
    run = stand.founder.start(stand.workflow(tool("slow", delay_ms=60_000)), {})
    end = time.monotonic() + 5
    while not stand.effects.of(run) and time.monotonic() < end:
        time.sleep(0.05)
    answer = stand.founder.post(f"/runs/{run}/cancel", {})
    assert answer.status_code == 200, answer.text
    return run


def _check_usage(stand: Stand, report: Report, limited: list[str]) -> None:
    """Every call that was made is counted once at most, and every one that is on record at least once."""
    asked = [str(request) for request in list(stand.model.requests)]
    wrong = []
    for row in stand.rows(USED, limited):
        made = sum(row["mark"] in request for request in asked)
        if not ASKS <= row["told"] <= made or not ASKS <= row["spent"] <= made:
            wrong.append(row | {"made": made})
    report.none("runs whose calls are miscounted", wrong)
