"""Ticket triage by rules."""

import re
from collections import Counter

from agents.offline.requests import SUBJECTS
from agents.offline.texts import plain
from agents.offline.triage_rules import ACTION_RULES, DEFAULT_ACTION, PRIORITIES, PRIORITY_RULES
from config.values.json_types import JsonObject

REQUEST = re.compile(r"\b(triag|tri[aâ]r|prioriti[sz]|prioriz|classif\w* .{0,40}(ticket|chamado))", re.IGNORECASE)


def is_requested(text: str) -> bool:
    """True when the text asks for a triage."""
    return bool(REQUEST.search(text))


def triage(tickets: list[JsonObject]) -> JsonObject:
    """{summary, tickets: [{id, subject, status, priority, action}]}, the urgent ones first."""
    rows = [_row(number, ticket) for number, ticket in enumerate(tickets, 1)]
    rows.sort(key=lambda row: -PRIORITIES.index(row["priority"]))
    count = Counter(row["priority"] for row in rows)
    parts = ", ".join(f"{count[priority]} {priority}" for priority in reversed(PRIORITIES) if count[priority])
    noun = "ticket" if len(rows) == 1 else "tickets"
    head = f"{len(rows)} {noun} triaged" + (f": {parts}" if parts else "")
    return {
        "summary": f"{head}. Made by the rules of the built-in offline model, without a language model.",
        "tickets": rows,
    }


def _row(number: int, ticket: JsonObject) -> dict[str, str]:
    subject = next((str(ticket[name]) for name in SUBJECTS if ticket.get(name)), "")
    text = plain(" ".join(str(part) for part in ticket.values() if isinstance(part, str)))
    return {
        "id": str(ticket.get("id") or number),
        "subject": subject,
        "status": str(ticket.get("status") or "open"),
        "priority": _priority(text, str(ticket.get("priority") or "")),
        "action": next((action for stems, action in ACTION_RULES if _matches(stems, text)), DEFAULT_ACTION),
    }


def _priority(text: str, minimum: str) -> str:
    """The priority by the rules, but never less than the ticket's own."""
    priority = next((priority for priority, stems in PRIORITY_RULES if _matches(stems, text)), "normal")
    return max(priority, minimum, key=PRIORITIES.index) if minimum in PRIORITIES else priority


def _matches(stems: tuple[str, ...], text: str) -> bool:
    """True when one of the stems begins a word of the text."""
    return re.search(rf"\b(?:{'|'.join(stems)})", text) is not None
