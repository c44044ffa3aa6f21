"""`python -m config.launch exec --temporary -- python -m tests.bench [--json FILE] [--only NAME …] [--trials 3]`."""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
import django

django.setup()

from rich.console import Console  # noqa: E402

from tests.bench import machine, report  # noqa: E402
from tests.bench.figures import Row  # noqa: E402
from tests.bench.rows import ROWS  # noqa: E402
from tests.bench.setting import Bench, ready  # noqa: E402

WIDTH = 150  # of the table in a file or a pipe


def main() -> None:
    """Measure, print the table, keep the numbers."""
    options = _options()
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    bench = ready(options.trials)
    facts = machine.facts(bench.database)
    rows = [row for name in options.only or ROWS for row in _measured(console, name, bench)]
    console.print(report.table(rows, facts))
    options.json.write_text(report.as_json(rows, facts))
    console.print(f"The numbers are in {options.json}.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure the engine.")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the numbers go")
    parser.add_argument("--only", nargs="+", choices=list(ROWS), metavar="NAME", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--trials", type=int, default=3)
    options = parser.parse_args()
    if options.trials < 1:
        parser.error("--trials: at least 1")
    return options


def _measured(console: Console, name: str, bench: Bench) -> list[Row]:
    with console.status(f"measuring: {name}"):
        rows = ROWS[name](bench)
    for row in rows:
        console.print(report.line(row))
    return rows


if __name__ == "__main__":
    main()
