"""`python -m tests.durability`: every scenario at full size, one after the other, and a table of what came out.

--only R1 R7   these rows alone        --json FILE   the figures as JSON
--seed N       other random moments    --small       the size that `make test` uses
"""

import argparse
import json
import logging
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from agents.sandbox import sandboxed_command
from tests.durability.break_tasks import break_tasks
from tests.durability.break_wire import break_wire
from tests.durability.cancel_runs import cancel_runs
from tests.durability.fuzz_states import fuzz_states
from tests.durability.kill_agents import kill_agents
from tests.durability.kill_governed import kill_applies, kill_approved, kill_doubtful
from tests.durability.kill_storm import kill_storm
from tests.durability.kill_tasks import kill_tasks
from tests.durability.kill_teams import kill_teams
from tests.durability.kill_workers import kill_workers
from tests.durability.lose_broker import freeze_broker, lose_broker
from tests.durability.repeat_keys import repeat_keys
from tests.durability.report import Report
from tests.durability.restart_database import restart_database
from tests.durability.restart_workers import restart_workers, stop_poison
from tests.durability.stand import Stand, stood_up
from tests.durability.start_parts import start_parts
from tests.durability.stop_engines import stop_engines, stop_engines_mid_claim

Play = Callable[[random.Random, bool], list[Report]]


@dataclass(frozen=True)
class Scenario:
    """What is played on a fresh product: the rows that it fills, and how, small or at full size."""

    rows: tuple[str, ...]
    play: Play


def standing(play: Callable[[Stand, random.Random, bool], list[Report]]) -> Play:
    """The same on a stand of its own."""

    def played(dice: random.Random, small: bool) -> list[Report]:
        with stood_up() as stand:
            return play(stand, dice, small)

    return played


@standing
def kills(stand: Stand, dice: random.Random, small: bool) -> list[Report]:
    """R1, R2."""
    return kill_workers(stand, dice, *((30, 6) if small else (200, 22)))


@standing
def storm(stand: Stand, dice: random.Random, small: bool) -> list[Report]:
    """R12."""
    return [kill_storm(stand, dice, *((12, 4) if small else (40, 7)))]


@standing
def faults(stand: Stand, dice: random.Random, small: bool) -> list[Report]:
    """R13."""
    return [break_tasks(stand, 1 if small else 5)]


@standing
def loops(stand: Stand, dice: random.Random, small: bool) -> list[Report]:
    """R1c."""
    return [kill_agents(stand, dice, *((6, 3) if small else (40, 12)))]


@standing
def governed(stand: Stand, dice: random.Random, small: bool) -> list[Report]:
    """R1d, R1e, R1f."""
    size = (3, 3) if small else (20, 12)
    return [kill_approved(stand, dice, *size), kill_applies(stand, dice, *size), kill_doubtful(stand, dice)]


@standing
def teams(stand: Stand, dice: random.Random, small: bool) -> list[Report]:
    """R1g, R1h."""
    size = (6, 3) if small else (30, 10)
    return [
        kill_teams(stand, dice, *size),
        *([] if sandboxed_command.unavailable_reason() else [kill_tasks(stand, dice, *size)]),
    ]


@standing
def broker(stand: Stand, dice: random.Random, small: bool) -> list[Report]:
    """R3, R3b."""
    return [lose_broker(stand, dice, 5 if small else 60), freeze_broker(stand, dice, 5 if small else 12)]


@standing
def database(stand: Stand, dice: random.Random, small: bool) -> list[Report]:
    """R4."""
    return [restart_database(stand, dice, 2 if small else 10, (2, 4) if small else (3, 7))]


def wire(dice: random.Random, small: bool) -> list[Report]:
    """R4b."""
    return [break_wire(dice, 6 if small else 25)]


@standing
def restarts(stand: Stand, dice: random.Random, small: bool) -> list[Report]:
    """R5, R5b."""
    return [restart_workers(stand, dice, 3 if small else 20), stop_poison(stand)]


@standing
def keys(stand: Stand, dice: random.Random, small: bool) -> list[Report]:
    """R6."""
    return [repeat_keys(stand, *((3, 20) if small else (20, 50)))]


@standing
def freezes(stand: Stand, dice: random.Random, small: bool) -> list[Report]:
    """R7, R7b."""
    return [stop_engines(stand, dice, 2 if small else 20), stop_engines_mid_claim(stand, dice, 10 if small else 100)]


@standing
def cancels(stand: Stand, dice: random.Random, small: bool) -> list[Report]:
    """R9, R9b."""
    fuzz = fuzz_states(stand, 500 if small else 10_000, dice.randrange(10**6))
    return [cancel_runs(stand, dice, 100 if small else 1200), fuzz]


def alone(dice: random.Random, small: bool) -> list[Report]:
    """R14."""
    return [start_parts(dice, 1 if small else 3)]


SCENARIOS = (
    Scenario(("R1", "R2"), kills),
    Scenario(("R1c",), loops),
    Scenario(("R1d", "R1e", "R1f"), governed),
    Scenario(("R1g", "R1h"), teams),
    Scenario(("R3", "R3b"), broker),
    Scenario(("R4",), database),
    Scenario(("R4b",), wire),
    Scenario(("R5", "R5b"), restarts),
    Scenario(("R6",), keys),
    Scenario(("R7", "R7b"), freezes),
    Scenario(("R9", "R9b"), cancels),
    Scenario(("R14",), alone),
    Scenario(("R12",), storm),
    Scenario(("R13",), faults),
)


def main() -> None:
    """Play, print, and exit with 1 when a promise was broken."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the products are stopped too
    logging.getLogger("httpx").setLevel(logging.WARNING)
    console, reports = Console(), []
    began = time.monotonic()
    for scenario in SCENARIOS:
        if options.only and not set(options.only) & set(scenario.rows):
            continue
        console.print(f"[dim]{time.monotonic() - began:6.0f} s  {' '.join(scenario.rows)} …[/dim]")
        reports += _play(scenario, random.Random(options.seed), options.small)
    console.print(_table(reports))
    console.print(f"{time.monotonic() - began:.0f} s, seed {options.seed}")
    if options.json:
        with open(options.json, "w") as file:
            json.dump([asdict(report) | {"ok": report.ok} for report in reports], file, indent=1, default=str)
    sys.exit(0 if reports and all(report.ok for report in reports) else 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.durability", description=__doc__.splitlines()[0])
    known = [row for scenario in SCENARIOS for row in scenario.rows]
    parser.add_argument("--only", nargs="+", choices=known, metavar="ROW", help=f"of {', '.join(known)}")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--small", action="store_true")
    return parser.parse_args()


def _play(scenario: Scenario, dice: random.Random, small: bool) -> list[Report]:
    """The scenario's reports; when it could not be played to its end, one that says why."""
    began = time.monotonic()
    try:
        reports = scenario.play(dice, small)
    except Exception as fault:  # the other scenarios are still worth their time
        traceback.print_exc()
        reports = [Report(scenario.rows[0], "it can be played to its end", faults=[f"{type(fault).__name__}: {fault}"])]
    for report in reports:
        report.seconds = round((time.monotonic() - began) / len(reports), 1)
    return reports


def _table(reports: list[Report]) -> Table:
    table = Table(title="Durability", show_lines=True)
    for heading in ("row", "promise", "figures", "result"):
        table.add_column(heading, overflow="fold")
    for report in reports:
        figures = "\n".join(f"{name}: {value}" for name, value in report.figures.items() if value != 0)
        result = "[green]ok[/green]" if report.ok else "[red]FAILED[/red]\n" + "\n".join(report.faults)
        table.add_row(report.row, f"{report.promise} ({report.seconds:.0f} s)", figures, result)
    return table


if __name__ == "__main__":
    main()
