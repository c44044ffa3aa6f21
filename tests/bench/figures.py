"""A row of the table: what was measured, the floor that it is divided by, and what it should reach."""

from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Target:
    """What a row should reach, in its own unit or (`of_floor`) as a multiple of its floor."""

    number: float
    at_least: bool
    of_floor: bool = False

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.number:g}{'×' if self.of_floor else ''}"

    def is_met(self, row: "Row") -> bool:
        """Whether the row's median reaches it."""
        reached = row.ratio if self.of_floor else row.median
        return reached >= self.number if self.at_least else reached <= self.number


def at_least(number: float, of_floor: bool = False) -> Target:
    """More is better."""
    return Target(number, True, of_floor)


def at_most(number: float, of_floor: bool = False) -> Target:
    """Less is better."""
    return Target(number, False, of_floor)


@dataclass(frozen=True)
class Row:
    """One figure with a value per trial."""

    name: str
    what: str
    unit: str
    values: list[float]
    targets: tuple[Target, ...] = ()
    floor_what: str = ""
    floor: list[float] = field(default_factory=list)
    note: str = ""
    in_turns: bool = False  # each value has its own floor, measured right after it

    @property
    def median(self) -> float:
        """The median of the trials."""
        return median(self.values)

    @property
    def ratio(self) -> float:
        """The median divided by the floor's; of what was measured in turns the median of the ratios, which the
        machine's moods leave alone.
        """
        if self.in_turns:
            return median(value / floor for value, floor in zip(self.values, self.floor, strict=True))
        return self.median / median(self.floor)


def percentile(values: list[float], share: float) -> float:
    """The value below which this share of them lies."""
    ordered = sorted(values)
    return ordered[min(round(share * (len(ordered) - 1)), len(ordered) - 1)]
