"""R1 and R2: workers are killed at random moments while runs go through five calls each."""

import random
import time

from tests.durability.promises import check_all_completed, check_effects, check_everything, resumed_after
from tests.durability.report import Report, percentile, spread
from tests.durability.stand import AGENT, LEASE_S, Background, Kill, Stand, five_tools, is_running, until

MIN_INTERVAL_KILLS_S = (1.2, 2.6)  # a run that sees three workers die within one step is given up, and rightly so
DELAY_MS = (50, 800)
WHOLE_WORKER_EACH = 5  # every fifth kill takes the worker's parent, and so all its children
RESTARTED_S = 15.0  # p95 when no worker is left and a new one must boot
LIMITED_EACH = 8  # every eighth run also asks a model, under a limit of calls


def kill_workers(stand: Stand, dice: random.Random, runs: int, kills: int) -> list[Report]:
    """Nothing accepted is lost, nothing finished is redone; what was interrupted goes on soon."""
    lost = Report("R1", "kill -9 of workers: no run lost, no finished step redone")
    quick = Report("R2", "p95 from kill to resumed step: lease + 1 s, or 15 s with no worker left")
    stand.both_engines()
    started: list[str] = []
    pace = kills * sum(MIN_INTERVAL_KILLS_S) / 2 / runs
    starting = Background(lambda: _start(stand, random.Random(dice.random()), runs, pace, started))
    hits: list[Kill] = []
    for number in range(1, kills + 1):
        time.sleep(dice.uniform(*MIN_INTERVAL_KILLS_S))
        hits.append(kill_one(stand, dice, whole=number % WHOLE_WORKER_EACH == 0))
    starting.end()
    lost.figures |= {"runs": len(started), "kills": len(hits), "processes": sum(len(hit.pids) for hit in hits)}
    lost.figures["interrupted"] = sum(len(hit.runs) for hit in hits)
    check_all_completed(stand, lost, started, hits)
    check_effects(stand, lost, started, hits)
    check_everything(stand, lost)
    _check_speed(stand, quick, hits)
    return [lost, quick]


def _start(stand: Stand, dice: random.Random, runs: int, pace: float, started: list[str]) -> None:
    plain = stand.workflow(*five_tools())
    asking = {"id": "ask", "type": "agent", "config": {"agent_id": AGENT, "prompt": "<<delay: 700>> Say it."}}
    nodes = five_tools()
    limited = stand.workflow(*nodes[:2], asking, *nodes[2:])
    member = stand.founder.twin()
    for number in range(1, runs + 1):
        given = {"delay_ms": dice.randint(*DELAY_MS)}
        if number % LIMITED_EACH:
            started.append(member.start(plain, given))
        else:
            started.append(member.start(limited, given, llm_calls_limit=50, cost_limit_cents=1000))
        time.sleep(pace)


def kill_one(stand: Stand, dice: random.Random, whole: bool) -> Kill:
    """One engine's process, or the worker's parent, whose children end with it."""
    engines = until(stand.engines, 60, "an engine")
    if whole:
        parent, owners = stand.pid("worker"), list(engines.values())
        kill = stand.kill([parent], owners, "worker")
        kill.pids = [parent, *engines]
    else:
        pid = dice.choice(sorted(engines))
        owners = [engines[pid]]
        kill = stand.kill([pid], owners, "engine")
    until(lambda: not any(map(is_running, kill.pids)), 20, f"the end of {kill.pids}")
    kill.runs |= stand.held_by(owners)  # children outlive their parent for the time that its memory takes to be freed
    return kill


def _check_speed(stand: Stand, report: Report, hits: list[Kill]) -> None:
    """One of the worker's processes: the others take over. The whole worker: it has to be started again first."""
    for what, most_s in (("engine", LEASE_S + 1), ("worker", RESTARTED_S)):
        waits = resumed_after(stand, [hit for hit in hits if hit.what == what])
        if waits:
            report.figures[f"{what} killed: runs"] = len(waits)
            report.figures[f"{what} killed: p50 / p95 / max s"] = spread(waits)
            late = percentile(waits, 0.95)
            report.check(late <= most_s, f"{what} killed: p95 is {late:.2f} s, promised are {most_s:.0f} s")
    report.check(bool(report.figures), "no kill has interrupted a run")
