"""R12: all processes of the worker are killed again and again while runs are under way; nobody innocent fails."""

import random
import time

import psutil

from tests.durability.promises import check_all_completed, check_effects, check_everything, resumed_after
from tests.durability.report import Report, percentile, spread
from tests.durability.stand import Kill, Stand, five_tools, until

RESUMED_S = 5.0
DELAY_MS = (300, 3_000)  # some runs finish a step between two kills, others none in the whole storm
BOOT_S = 60.0
LOST = "SELECT id::text FROM orchestration_run WHERE failure_reason = 'worker_lost' AND id = ANY(%s::uuid[])"


def kill_storm(stand: Stand, dice: random.Random, runs: int, kills: int, resumed_s: float = RESUMED_S) -> Report:
    """Each kill comes a moment after the new worker has taken up the runs, so that it hits them all, each time."""
    report = Report("R12", f"a storm of deaths: every run completes, p95 kill to next step at most {resumed_s:.0f} s")
    stand.both_engines()
    flow = stand.workflow(*five_tools())
    started = [stand.founder.start(flow, {"delay_ms": dice.randint(*DELAY_MS)}) for _ in range(runs)]
    began, hits = time.monotonic(), []
    for _ in range(kills):
        hits.append(_kill_all(stand))
        time.sleep(dice.uniform(0.1, 0.6))
    report.figures |= {"runs": runs, "kills": kills, "storm s": f"{time.monotonic() - began:.1f}"}
    report.figures["interrupted"] = sum(len(hit.runs) for hit in hits)
    check_all_completed(stand, report, started, hits, patience_s=120)
    report.none("worker_lost", stand.rows(LOST, started))
    check_effects(stand, report, started, hits)
    check_everything(stand, report)
    _check_speed(stand, report, hits, resumed_s)
    return report


def _kill_all(stand: Stand) -> Kill:
    """kill -9 of the worker and of all its children, once they have runs."""
    engines = until(lambda: _at_work(stand), BOOT_S, "an engine that has runs")
    parent = psutil.Process(stand.pid("worker"))
    pids = [parent.pid, *(child.pid for child in parent.children(recursive=True))]
    return stand.kill(pids, list(engines.values()), "storm")


def _at_work(stand: Stand) -> dict[int, str]:
    """The engines, once they have runs."""
    engines = stand.engines()
    return engines if engines and stand.held_by(list(engines.values())) else {}


def _check_speed(stand: Stand, report: Report, hits: list[Kill], resumed_s: float) -> None:
    waits = resumed_after(stand, hits)
    report.check(bool(waits), "no kill has interrupted a run")
    if waits:
        report.figures["kill to next step: p50 / p95 / max s"] = spread(waits)
        late = percentile(waits, 0.95)
        report.check(late <= resumed_s, f"p95 is {late:.2f} s")
