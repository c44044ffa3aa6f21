"""R12: all processes of the worker are killed again and again while runs are under way; nobody innocent fails."""

import random
import time

import psutil

from tests.durability.promises import check_all_completed, check_effects, check_everything, resumed_after
from tests.durability.report import Report, percentile, spread
from tests.durability.stand import Kill, Stand, five_tools, until

STORM_S = 15.0
RESUMED_S = 5.0
BOOT_S = 60.0


def kill_storm(stand: Stand, dice: random.Random, runs: int, kills: int, delay_ms: tuple[int, int]) -> Report:
    """Each kill comes a moment after the new worker has taken up the runs, so that all of them are there each time."""
    report = Report("R12", f"a storm of deaths: every run completes, p95 kill to next step at most {RESUMED_S:.0f} s")
    stand.both_engines()
    flow = stand.workflow(*five_tools())
    started = [stand.founder.start(flow, {"delay_ms": dice.randint(*delay_ms)}) for _ in range(runs)]
    until(lambda: len(stand.held_by(list(stand.engines().values()))) >= runs * 0.9, BOOT_S, "the runs are under way")
    began, hits = time.monotonic(), []
    for _ in range(kills):
        hits.append(_kill_all(stand))
        time.sleep(dice.uniform(0.1, 0.6))
    report.figures |= {"runs": runs, "kills": kills, "storm s": f"{time.monotonic() - began:.1f}"}
    report.figures["interrupted"] = sum(len(hit.runs) for hit in hits)
    check_all_completed(stand, report, started, hits, patience_s=120)
    lost = stand.rows(
        "SELECT id FROM orchestration_run WHERE failure_reason = 'worker_lost' AND id = ANY(%s::uuid[])", started
    )
    report.none("worker_lost", lost)
    check_effects(stand, report, started, hits)
    check_everything(stand, report)
    waits = resumed_after(stand, hits)
    report.check(bool(waits), "no kill has interrupted a run")
    if waits:
        report.figures["kill to next step: p50 / p95 / max s"] = spread(waits)
        late = percentile(waits, 0.95)
        report.check(late <= RESUMED_S, f"p95 is {late:.2f} s")
    return report


def _kill_all(stand: Stand) -> Kill:
    """kill -9 of the worker and of all its children, once an engine of it lives."""
    engines = until(stand.engines, BOOT_S, "an engine")
    parent = psutil.Process(stand.pid("worker"))
    pids = [parent.pid, *(child.pid for child in parent.children(recursive=True))]
    return stand.kill(pids, list(engines.values()), "storm")
