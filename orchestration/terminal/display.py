"""How a run looks in a terminal: its nodes, then its result. Texts of users are shown, never obeyed."""

import json
import re
from typing import Any

from rich.console import Console, Group
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from governance.budgets.reservations import MICRO_PER_CENT
from orchestration.models import Status
from orchestration.terminal.run_view import NodeView, RunView

MARKS = {"running": "…", "retrying": "↻", "completed": "✓", "failed": "✗"}
STYLES = {
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
    "running": "cyan",
    "paused": "yellow",
    "retrying": "yellow",
}
MAX_NODES = 30
MAX_COLUMNS = 6
FIRST_COLUMNS = ("id", "subject", "title", "name", "priority", "status", "action")
MAX_CELL_LENGTH = 300
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain(value: Any, most: int = MAX_CELL_LENGTH) -> Text:
    """A value as text without control characters, which a terminal would act on, and without markup."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = _CONTROL.sub("", text)
    return Text(text if len(text) <= most else text[:most] + "…")


def progress(view: RunView) -> Group:
    """The nodes so far, and the run's status and cost."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for node in list(view.nodes.values())[-MAX_NODES:]:
        mark = (
            Spinner("dots", style="cyan")
            if node.status == "running" and not view.is_final
            else Text(MARKS[node.status])
        )
        took = "" if node.seconds is None else f"{node.seconds:.1f} s"
        table.add_row(
            mark,
            plain(node.name, 60),
            Text(node.type, "dim"),
            Text(took, "dim"),
            Text.assemble((plain(node.note, 100).plain, "red")),
        )
    return Group(table, status_line(view))


def status_line(view: RunView) -> Text:
    """Status, calls and cost in one line; who has to do something, if anybody."""
    run = view.run
    line = Text.assemble(
        (run.status, STYLES.get(run.status, "")), f" · {run.llm_calls} model calls · {cost(run.cost_micro)}"
    )
    if view.waits_for_a_person:
        line.append_text(Text.assemble(" · waits for a decision: ", (plain(view.question, 120).plain, "yellow")))
    if not view.engine_alive and not view.is_final:
        line.append(" · no engine is alive; start one with: make run", "yellow")
    return line


def cost(micro: int) -> str:
    """An amount in US dollars."""
    return f"${micro / MICRO_PER_CENT / 100:.4f}"


def print_node(console: Console, node: NodeView) -> None:
    """One line about a node, where there is no terminal to draw in."""
    took = "" if node.seconds is None else f" after {node.seconds:.1f} s"
    line = f"{MARKS[node.status]} {plain(node.name, 60).plain} {node.status}{took} {plain(node.note, 200).plain}"
    console.print(Text(line.rstrip()))


def result(console: Console, view: RunView) -> None:
    """The summary and the table of the result, or why there is none."""
    run, output = view.run, view.run.result
    if run.status != Status.COMPLETED:
        reason = output.get("error") or output.get("comment") or "" if isinstance(output, dict) else ""
        console.print(
            Text.assemble(
                (f"The run {run.status}", STYLES[run.status]), f": {plain(reason, 2000).plain}" if reason else "."
            )
        )
        return
    rows = _rows(output)
    if isinstance(output, dict) and isinstance(output.get("summary"), str):
        console.print(plain(output["summary"], 2000), style="bold")
    elif not rows:
        console.print(plain(output, 20_000))
    if rows:
        console.print(_table(rows))


def _rows(output: Any) -> list[dict[str, Any]]:
    """The result's tickets, else its first list of objects."""
    lists = [output.get("tickets"), *output.values()] if isinstance(output, dict) else [output]
    return next(
        (rows for rows in lists if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows)),
        [],
    )


def _table(rows: list[dict[str, Any]]) -> Table:
    names = dict.fromkeys(
        key for row in rows for key in row
    )  # the database does not keep the order of an object's keys
    columns = [
        *(name for name in FIRST_COLUMNS if name in names),
        *(name for name in names if name not in FIRST_COLUMNS),
    ]
    table = Table()
    for column in columns[:MAX_COLUMNS]:
        table.add_column(plain(column, 40))
    for row in rows:
        table.add_row(*(plain(row[column]) if row.get(column) is not None else "" for column in columns[:MAX_COLUMNS]))
    return table
