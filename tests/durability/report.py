"""What a scenario comes back with: its figures, and every way in which a promise was broken."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

SHOWN = 5


@dataclass
class Report:
    """One row of the table."""

    row: str
    promise: str
    figures: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """No promise was broken."""
        return not self.faults

    def check(self, holds: bool, fault: str) -> None:
        """Note the fault unless the promise holds."""
        if not holds:
            self.faults.append(fault)

    def none(self, what: str, found: Iterable[Any]) -> None:
        """Note these as one fault, the first few named; their number becomes a figure."""
        bad = list(found)
        self.figures[what] = len(bad)
        if bad:
            self.faults.append(f"{len(bad)} {what}: " + "; ".join(str(one) for one in bad[:SHOWN]))

    def __str__(self) -> str:
        told = ", ".join(f"{name} {value}" for name, value in self.figures.items())
        return "\n".join([f"{self.row}: {told}", *(f"FAULT: {fault}" for fault in self.faults)])


def percentile(values: list[float], share: float) -> float:
    """The smallest value that this share of the values does not pass; NaN without values."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else math.nan


def spread(values: list[float]) -> str:
    """p50, p95 and max in seconds."""
    return " / ".join(f"{value:.2f}" for value in (percentile(values, 0.5), percentile(values, 0.95), max(values)))
