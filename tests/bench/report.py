"""The table for people and the JSON for programs."""

import json
from statistics import median
from typing import Any

from rich.table import Table
from rich.text import Text

from tests.bench.figures import Row


def number(value: float) -> str:
    """Three figures or so."""
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def spread(values: list[float]) -> str:
    """The median, with the least and the most when there are several."""
    text = number(median(values))
    return text if len(values) < 2 else f"{text} [{number(min(values))}–{number(max(values))}]"


def verdicts(row: Row) -> Text:
    """Each target with ok or MISSED."""
    text = Text()
    for target in row.targets:
        met = target.is_met(row)
        text.append("\n" if text else "").append(f"{target} ")
        text.append("ok" if met else "MISSED", "green" if met else "bold red")
    return text


def line(row: Row) -> Text:
    """The row in one line, for those who wait."""
    text = Text(f"  {row.what}: {spread(row.values)} {row.unit}  ")
    return text.append(Text(", ").join(verdicts(row).split("\n")) if row.targets else "")


def table(rows: list[Row], facts: dict[str, str]) -> Table:
    """All rows."""
    caption = " · ".join(f"{name} {value}" for name, value in facts.items())
    made = Table(title="Regente, median [least–most] of the trials", caption=caption, show_lines=True)
    for column in ("what", "measured", "floor", "× floor", "target"):
        made.add_column(column, justify="right" if column == "× floor" else "left")
    for row in rows:
        floor = f"{spread(row.floor)} {row.unit}\n{row.floor_what}" if row.floor else row.floor_what
        what = f"{row.what}\n[dim]{row.note}[/dim]" if row.note else row.what
        ratio = number(row.ratio) if row.floor else ""
        made.add_row(what, f"{spread(row.values)} {row.unit}", floor, ratio, verdicts(row))
    return made


def as_json(rows: list[Row], facts: dict[str, str]) -> str:
    """The same as JSON, with the value of each trial."""
    return json.dumps({"machine": facts, "rows": [_as_dict(row) for row in rows]}, indent=2, ensure_ascii=False) + "\n"


def _as_dict(row: Row) -> dict[str, Any]:
    told: dict[str, Any] = {"name": row.name, "what": row.what, "unit": row.unit, "note": row.note}
    told |= {"values": row.values, "median": row.median, "least": min(row.values), "most": max(row.values)}
    if row.floor:
        told |= {
            "floor": {"what": row.floor_what, "values": row.floor, "median": median(row.floor)},
            "ratio": row.ratio,
        }
    return told | {"targets": [{"target": str(target), "met": target.is_met(row)} for target in row.targets]}
