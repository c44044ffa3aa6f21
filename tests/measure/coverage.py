"""The table of `make coverage`: lines and branches that the tests reach, per app and in all, held to the limits.

`python -m tests.measure.coverage FILE` reads what `coverage json` has written and fails below a limit.
"""

import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MIN_LINES_PERCENT = 92
MIN_BRANCHES_PERCENT = 85


@dataclass
class Coverage:
    """Counts of lines and branches, and how many of them were reached."""

    lines: int = 0
    lines_reached: int = 0
    branches: int = 0
    branches_reached: int = 0

    def add(self, summary: dict[str, Any]) -> None:
        """Count in a file's summary as coverage.py writes it."""
        self.lines += summary["num_statements"]
        self.lines_reached += summary["covered_lines"]
        self.branches += summary["num_branches"]
        self.branches_reached += summary["covered_branches"]

    @property
    def lines_percent(self) -> float:
        """100 when there are none."""
        return 100 * self.lines_reached / self.lines if self.lines else 100.0

    @property
    def branches_percent(self) -> float:
        """100 when there are none."""
        return 100 * self.branches_reached / self.branches if self.branches else 100.0

    def row(self, name: str) -> str:
        """A line of the table."""
        lines = f"{self.lines_reached:>7} / {self.lines:<6} {self.lines_percent:5.1f} %"
        return f"{name:<15}{lines} {self.branches_reached:>7} / {self.branches:<6} {self.branches_percent:5.1f} %"


def coverage_by_app(report: dict[str, Any]) -> dict[str, Coverage]:
    """The counts of each app, by its name."""
    apps: dict[str, Coverage] = defaultdict(Coverage)
    for path, file in sorted(report["files"].items()):
        apps[Path(path).parts[0]].add(file["summary"])
    return apps


def main(path: str) -> int:
    """Print the table; 1 when a total is below its limit."""
    report = json.loads(Path(path).read_text())
    total = Coverage()
    total.add(report["totals"])
    print(f"{'':<15}{'lines':^25} {'branches':^25}")
    for name, coverage in coverage_by_app(report).items():
        print(coverage.row(name))
    print(total.row("all"))
    enough = total.lines_percent >= MIN_LINES_PERCENT and total.branches_percent >= MIN_BRANCHES_PERCENT
    if not enough:
        print(f"below the limits: {MIN_LINES_PERCENT} % of lines, {MIN_BRANCHES_PERCENT} % of branches")
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
