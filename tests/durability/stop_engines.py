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
# An engine's transactions take a millisecond or two: one that has waited for its client for longer is the frozen one's.
OPEN = """
SELECT pid FROM pg_stat_activity
WHERE application_name = 'regente-engine' AND xact_start < clock_timestamp() - interval '20 milliseconds'
    AND wait_event IN ('ClientRead', 'ClientWrite')
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
    """An engine that is frozen while it claims and writes leaves no lock behind that others wait for."""
    report = Report("R7b", "an engine frozen at any moment leaves nothing behind that others wait for")
    flow, waits, stuck, caught = stand.workflow(*five_tools()[:1]), [], 0, 0
    for _ in range(cycles):
        pid = dice.choice(sorted(stand.both_engines()))
        for _ in range(3):
            stand.founder.start(flow, {"delay_ms": 0})
        time.sleep(dice.uniform(0.0, 0.02))
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(0.05)
            caught += bool(stand.rows(OPEN))
            began = time.monotonic()
            probe = stand.founder.start(flow, {"delay_ms": 0})
            stuck += stand.settled([probe], LEASE_S + 4).get(probe) != "completed"
            waits.append(time.monotonic() - began)
        finally:
            os.kill(pid, signal.SIGCONT)
    report.figures |= {"freezes": cycles, "probe p50 / p95 / max s": spread(waits)}
    report.check(caught == 0, f"{caught} of {cycles} frozen engines left a transaction open")
    report.check(stuck == 0, f"{stuck} of {cycles} times no run was claimed while an engine was frozen")
    report.check(max(waits) < LEASE_S / 2, f"a probe took {max(waits):.2f} s: as if it had waited for a lease")
    check_everything(stand, report)
    return report
