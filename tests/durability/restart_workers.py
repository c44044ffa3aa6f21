"""R5: workers are deployed again and again while runs go on; a run that kills its workers is stopped."""

import json
import os
import random
import signal
import subprocess
import sys
import time

from config.embedded_servers import BASE_DIR
from tests.durability.load import Load
from tests.durability.promises import check_all_completed, check_effects, check_everything, duplicates
from tests.durability.report import Report, spread
from tests.durability.stand import Kill, Stand, five_tools, until

POISON = "durability.poison"
MAX_DEATHS = 5  # two beside others, three alone
INNOCENT = 20
BOOT_S = 60.0


def restart_workers(stand: Stand, dice: random.Random, restarts: int) -> Report:
    """SIGTERM loses nothing and repeats nothing."""
    report = Report("R5", "rolling SIGTERM restarts: nothing lost, no effect twice")
    stand.both_engines()
    load, took = Load(stand, dice), []
    for _ in range(restarts):
        time.sleep(dice.uniform(0.3, 1.5))
        took.append(_restart(stand))
    runs = load.end()
    report.figures |= {"restarts": restarts, "runs": len(runs), "restart p50 / p95 / max s": spread(took)}
    report.none("runs not accepted", range(load.given_up))
    check_all_completed(stand, report, runs)
    check_effects(stand, report, runs, [])
    report.none("effects sent twice", duplicates(stand, runs).items())
    check_everything(stand, report)
    return report


def _restart(stand: Stand) -> float:
    """The seconds from SIGTERM until the new worker's engines are there; the old one has put down its runs."""
    old, before, began = stand.pid("worker"), stand.both_engines(), time.monotonic()
    os.kill(old, signal.SIGTERM)
    until(lambda: stand.pid("worker") != old, BOOT_S, "a new worker")
    until(lambda: len(stand.engines()) == 2 and not set(before) & set(stand.engines()), BOOT_S, "new engines")
    return time.monotonic() - began


def stop_poison(stand: Stand) -> Report:
    """A run that ends each worker which takes it is given up; the runs beside it finish."""
    report = Report("R5b", f"a run that kills its workers ends failed after at most {MAX_DEATHS}; the others finish")
    stand.both_engines()
    before, flow = len(stand.effects.deaths), stand.workflow(*five_tools())
    poison = start_program(stand, POISON, {"url": f"{stand.effects.url}/death"})
    runs = [stand.founder.start(flow, {"delay_ms": 300}) for _ in range(INNOCENT)]
    stand.settled([poison], 90)
    deaths = stand.effects.deaths[before:]
    (row,) = stand.rows("SELECT status, failure_reason, deaths FROM orchestration_run WHERE id = %s", poison)
    report.figures |= {"worker deaths": len(deaths), "ended": f"{row['status']} {row['failure_reason']}"}
    report.check((row["status"], row["failure_reason"]) == ("failed", "worker_lost"), f"the poison ended as {row}")
    report.check(len(deaths) <= MAX_DEATHS, f"it ended {len(deaths)} workers")
    check_all_completed(stand, report, runs)
    check_effects(stand, report, runs, [Kill(at, "poison", []) for at in deaths])
    check_everything(stand, report)
    return report


def start_program(stand: Stand, kind: str, input: dict[str, str]) -> str:
    """The id of a harmful run; its program is known to the workers alone, so no route starts it."""
    command = [sys.executable, "-m", "tests.durability.programs", stand.founder.tenant, kind, json.dumps(input)]
    plain = {
        name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")
    }
    environment = plain | {"DATA_DIR": str(stand.product.data_dir)}
    told = subprocess.run(command, env=environment, cwd=BASE_DIR, capture_output=True, text=True, check=True)
    return told.stdout.strip()
