"""R1h: workers are killed while commands of code tasks run: nothing is run twice, and no process is left."""

import random
import time
from pathlib import Path

import psutil

from tests.durability.kill_workers import kill_one
from tests.durability.promises import check_all_completed, check_everything
from tests.durability.report import Report
from tests.durability.stand import Stand

COMMANDS = 4
MIN_INTERVAL_KILLS_S = (1.0, 2.0)
NAP = "0.6"


def kill_tasks(stand: Stand, dice: random.Random, tasks: int, kills: int) -> Report:
    """Each command has begun at most once; what was broken off is told to the model; the tasks end well."""
    report = Report("R1h", "kill -9 while commands of code tasks run: none is run twice, no process is left")
    stand.both_engines()
    steps = "".join(
        f'<<step: shell {{"command": "echo {number} | tee -a log.txt; sleep {NAP}"}}>>' for number in range(COMMANDS)
    )
    started = [_start(stand, f"Work {steps} <<say: done>>") for _ in range(tasks)]
    hits = []
    for _ in range(kills):
        time.sleep(dice.uniform(*MIN_INTERVAL_KILLS_S))
        hits.append(kill_one(stand, dice, whole=False))
    report.figures |= {"tasks": tasks, "kills": kills, "interrupted": sum(len(hit.runs) for hit in hits)}
    check_all_completed(stand, report, started, hits, patience_s=90)
    _check_commands(stand, report, started)
    check_everything(stand, report)
    return report


def _start(stand: Stand, objective: str) -> str:
    answer = stand.founder.http.post("/tasks", json={"objective": objective})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def _check_commands(stand: Stand, report: Report, started: list[str]) -> None:
    twice, broken_off = [], 0
    for id in started:
        log = stand.product.data_dir / "workspaces" / id / "log.txt"
        lines = log.read_text().split() if log.exists() else []
        twice += [f"{id}: {lines}"] if len(lines) != len(set(lines)) else []
        actions = stand.founder.http.get(f"/tasks/{id}").json()["result"]["actions_taken"]
        report.check(len(actions) == COMMANDS, f"{id} took {len(actions)} actions")
        broken_off += sum("was not done again" in action["result"] for action in actions)
    report.figures["told as broken off"] = broken_off
    report.none("run twice", twice)
    report.none("processes left", _left(stand.product.data_dir))


def _left(data_dir: Path) -> list[str]:
    """Sandboxes of this product that are still there."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if "bwrap" in line and str(data_dir / "workspaces") in line:
            found.append(line[:200])
    return found
