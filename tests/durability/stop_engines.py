"""R7: an engine is frozen for longer than its lease, then goes on as if nothing had happened."""

import os
import random
import signal
import time

from tests.durability.load import Load
from tests.durability.promises import STEPS, check_all_completed, check_effects, check_everything
from tests.durability.report import Report, spread
from tests.durability.stand import LEASE_S, Kill, Stand, five_tools

FROZEN_S = LEASE_S + 1.0
TRIES = 400
# An engine's transactions take a millisecond or two: one that stands open for longer is the frozen engine's.
OPEN = """
SELECT a.pid, EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.objid = 1
    AND l.objsubid = 2 AND l.granted) AS claiming
FROM pg_stat_activity a WHERE a.application_name = 'regente-engine' AND a.state = 'idle in transaction'
    AND a.state_change < clock_timestamp() - interval '20 milliseconds'
"""


def stop_engines(stand: Stand, dice: random.Random, cycles: int) -> Report:
    """What the stale engine still wants to write is refused: each step has the one result that was recorded first."""
    report = Report("R7", f"SIGSTOP for {FROZEN_S:.0f} s, SIGCONT: a stale engine writes nothing")
    load, freezes, thaws, seen = Load(stand, dice, clients=2), [], [], {}
    for _ in range(cycles):
        engines = stand.both_engines()
        time.sleep(dice.uniform(0.3, 1.2))
        pid = dice.choice(sorted(engines))
        freezes.append(_frozen(stand, pid, engines[pid], seen))
        thaws.append(time.time())
    runs = load.end()
    report.figures |= {"cycles": cycles, "runs": len(runs), "taken over": sum(len(freeze.runs) for freeze in freezes)}
    check_all_completed(stand, report, runs)
    changed = {at for at, row in _steps(stand, runs).items() if at in seen and row != seen[at]}
    report.figures["steps seen before the thaw"] = len(seen)
    report.none("steps overwritten", changed)
    kills = [Kill(f.at + late, f.what, f.pids, f.runs) for f in freezes for late in MOMENTS]
    check_effects(stand, report, runs, kills, thaws=thaws)
    check_everything(stand, report)
    return report


# A frozen engine's calls are answered while it cannot record them: every moment of the freeze counts as its death.
MOMENTS = [second / 2 for second in range(int(FROZEN_S * 2) + 4)]


def _frozen(stand: Stand, pid: int, owner: str, seen: dict[tuple[str, str], tuple]) -> Kill:
    """Freeze the engine for longer than its lease, note what is recorded meanwhile, and let it go on."""
    freeze = stand.kill([pid], [owner], "frozen", signal.SIGSTOP)
    try:
        time.sleep(FROZEN_S)
        seen |= {at: row for at, row in _steps(stand, sorted(freeze.runs)).items() if row[0] == "completed"}
    finally:
        os.kill(pid, signal.SIGCONT)
    return freeze


def _steps(stand: Stand, runs: list[str]) -> dict[tuple[str, str], tuple]:
    return {
        (row["run"], row["name"]): (row["status"], row["output"]["call"] if row["output"] else None, row["finished"])
        for row in stand.rows(STEPS, runs)
    }


def stop_engines_mid_claim(stand: Stand, dice: random.Random, cycles: int) -> Report:
    """An engine that is frozen while it claims, its locks in hand, does not stop the others."""
    report = Report("R7b", "an engine frozen inside a transaction holds up nobody for longer than lease + 1 s")
    flow, waits, stuck, caught = stand.workflow(*five_tools()[:1]), [], 0, 0
    for _ in range(cycles):
        engines = stand.both_engines()
        pid = dice.choice(sorted(engines))
        if not _catch_claiming(stand, dice, pid, flow):
            continue
        caught += 1
        began = time.monotonic()
        try:
            probe = stand.founder.start(flow, {"delay_ms": 0})
            done = stand.settled([probe], LEASE_S + 4).get(probe) == "completed"
            stuck += not done
            waits.append(time.monotonic() - began)
        finally:
            os.kill(pid, signal.SIGCONT)
    report.figures |= {
        "caught claiming": f"{caught}/{cycles}",
        "probe p50 / p95 / max s": spread(waits) if waits else "-",
    }
    report.check(caught > 0, "no engine was caught in its claim, so nothing was shown")
    report.check(stuck == 0, f"{stuck} of {caught} times no run was claimed while an engine was frozen in its claim")
    report.check(stuck > 0 or max(waits, default=0) <= LEASE_S + 1, f"a probe took {max(waits, default=0):.2f} s")
    stand.both_engines()
    check_everything(stand, report)
    return report


def _catch_claiming(stand: Stand, dice: random.Random, pid: int, flow: str) -> bool:
    """Freeze the engine at random moments until it is caught with the claim's lock in hand; False when it never is."""
    for _ in range(TRIES):
        stand.founder.start(flow, {"delay_ms": 0})
        time.sleep(dice.uniform(0.0, 0.02))
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.03)
        if any(row["claiming"] for row in stand.rows(OPEN)):
            return True
        os.kill(pid, signal.SIGCONT)
    return False
