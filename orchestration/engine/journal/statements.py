"""The statements that write a batch of entries (journal.sql), each with its rows as one JSON text."""

from typing import Any

import orjson

from config.database.pipeline import Row
from config.database.queries import load_queries
from config.values.foreign_json import clean_text
from governance.budgets import reservations
from orchestration.program.journal_entry import Entry, Table

QUERIES = load_queries("orchestration.engine.journal", "journal.sql")
RELATIVES = load_queries("orchestration.runs", "sql/relatives.sql")
WRITES: dict[Table, str] = {  # in the order of their locks
    "starts": QUERIES["record_starts"],
    "steps": QUERIES["write_steps"],
    "usage": QUERIES["add_usage"],
    "events": QUERIES["write_events"],
    "progress": QUERIES["reset_deaths"],
    "approvals": QUERIES["write_approvals"],
    "approval_events": QUERIES["mark_approval_events"],
    "approved_calls": QUERIES["mark_approved_calls"],
    "decisions": QUERIES["insert_decisions"],
    "signals": QUERIES["take_signals"],
}
PLAIN_INSERTS: dict[Table, str] = {"steps": QUERIES["insert_steps"], "events": QUERIES["insert_events"]}
END_COLUMNS = ("run_id", "attempt", "status", "failure_reason", "agent_id")


def statements(batch: list[Entry], owner: str, again: bool) -> list[tuple[str, Any]]:
    """(statement, values) of the batch, the fence first. `again`: some of it may have been written before."""
    runs = [{"run_id": run_id, "attempt": attempt} for run_id, attempt in {(e.run_id, e.attempt) for e in batch}]
    calls: list[tuple[str, Any]] = [(QUERIES["fence"], {"runs": _json(runs), "owner": owner})]
    for table, statement in WRITES.items():
        rows = [row for entry in batch for row in entry.tables.get(table, ())]
        if table == "usage":
            rows = [row | {"seq": entry.last_seq} for entry in batch for row in entry.tables.get("usage", ())]
        if table == "steps":
            rows = _last_of_each(rows)
        if table in PLAIN_INSERTS and not again:
            new = [row for row in rows if row.get("new", True)]
            rows = [row for row in rows if not row.get("new", True)]
            if new:
                calls.append((PLAIN_INSERTS[table], {"rows": _json(new), "owner": owner}))
        if rows:
            calls.append((statement, {"rows": _json(rows), "owner": owner}))
    return calls + _endings(batch, owner)


def _endings(batch: list[Entry], owner: str) -> list[tuple[str, Any]]:
    """Settled calls, then the runs that end or are put down."""
    calls: list[tuple[str, Any]] = []
    bills = [row for entry in batch for row in entry.bills]
    if bills:
        calls.append((reservations.LOCK, {"ids": sorted({i for row in bills for i in row["budget_ids"]})}))
        calls.append((reservations.SETTLE, {"bills": _json(bills)}))
    closes = [entry.close for entry in batch if entry.close]
    if closes_with_holds := [close for close in closes if close["final"] and close["has_limits"]]:
        calls.append((QUERIES["release_holds"], {"rows": _json(closes_with_holds), "owner": owner}))
    if final := [{name: close[name] for name in END_COLUMNS} for close in closes if close["final"]]:
        calls.append((QUERIES["record_ends"], {"rows": _json(final), "owner": owner}))
    if closes:
        calls.append((QUERIES["close_runs"], {"rows": _json(closes), "owner": owner}))
        parents = [c["run_id"] for c in closes if c["status"] in ("failed", "cancelled")]
        if parents:
            calls.append((RELATIVES["cancel_children"], {"parents": parents}))
    return calls


def _last_of_each(rows: list[Row]) -> list[Row]:
    """One statement may touch a row once: of a step that was written twice in one batch the later one counts."""
    return list({(row["run_id"], row["name"]): row for row in rows}.values())


def _json(rows: list[Row]) -> str:
    """The rows' JSON. Their JSON columns are clean (json_fragments.py); texts beside them are cleaned where need be:
    what PostgreSQL refuses would end the run, and what it has done would be done again.
    """
    try:
        text = orjson.dumps(rows, default=str)
        if b"\\u0000" not in text:
            return text.decode()
    except TypeError:  # half a character
        pass
    clean = [
        {key: clean_text(value) if isinstance(value, str) else value for key, value in row.items()} for row in rows
    ]
    return orjson.dumps(clean, default=str).decode()
