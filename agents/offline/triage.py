"""Ticket triage by rules, in English and Portuguese: what the offline model can do without a language model."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any

PRIORITIES = ("low", "normal", "high", "urgent")
# The first rule whose stem begins a word of the ticket wins.
PRIORITY_RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "urgent",
        (
            "urgent",
            "emergenc",
            "fire",
            "smoke",
            "flood",
            "leak",
            "injur",
            "gas",
            "danger",
            "outage",
            "down",
            "breach",
            "stuck",
        )
        + (
            "incendio",
            "fogo",
            "fumaca",
            "inundac",
            "vazamento",
            "vazando",
            "ferid",
            "perigo",
            "fora do ar",
            "invas",
            "pres[oa] no",
        ),
    ),
    (
        "high",
        (
            "broken",
            "not work",
            "does not work",
            "fail",
            "error",
            "no hot water",
            "no water",
            "no power",
            "complain",
            "angry",
            "refund",
        )
        + (
            "cannot",
            "double charge",
            "charged twice",
            "locked out",
            "quebrad",
            "nao funciona",
            "falha",
            "erro",
            "sem agua",
        )
        + ("sem energia", "sem internet", "reclam", "reembolso", "cobrad[oa] duas", "nao consigo"),
    ),
    (
        "low",
        (
            "question",
            "suggest",
            "thank",
            "feedback",
            "when ",
            "how ",
            "duvida",
            "sugest",
            "obrigad",
            "elogio",
            "informac",
        ),
    ),
)
ACTION_RULES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("fire", "smoke", "gas", "incendio", "fogo", "fumaca"), "Call the emergency team and clear the area."),
    (
        ("leak", "flood", "water", "toilet", "pipe", "vazamento", "vazando", "inundac", "agua", "banheiro"),
        "Send a plumber.",
    ),
    (
        ("air condition", "heating", "ar condicionado", "ar-condicionado", "aquecedor"),
        "Send a technician for heating and cooling.",
    ),
    (("power", "light", "electric", "energia", "luz", "eletric"), "Send an electrician."),
    (("wifi", "wi-fi", "internet", "network", "server", "rede", "servidor"), "Have IT check the connection."),
    (
        ("invoice", "charge", "refund", "bill", "payment", "fatura", "cobran", "cobrad", "reembolso", "pagamento"),
        "Have billing check it.",
    ),
    (("password", "login", "access", "key", "locked", "senha", "acesso", "chave"), "Restore the access."),
    (("noise", "loud", "barulho", "ruido"), "Have the front desk talk to the neighbours."),
    (("clean", "towel", "dirty", "limp", "toalha", "suj"), "Send housekeeping."),
)
ANSWER = "Answer the customer."
WANTED = re.compile(r"\b(triag|tri[aâ]r|prioriti[sz]|prioriz|classif\w* .{0,40}(ticket|chamado))", re.IGNORECASE)
JSON_TRIES = 200  # brackets that are looked at as the possible begin of a JSON value
SUBJECTS = ("subject", "title", "summary", "assunto", "titulo")


def plain(text: str) -> str:
    """The text in lower case and without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))


def is_wanted(text: str) -> bool:
    """True when the text asks for a triage."""
    return bool(WANTED.search(text))


def json_in(text: str) -> Iterator[Any]:
    """The JSON objects and arrays in a text, the outermost ones in order."""
    decoder, at = json.JSONDecoder(), 0
    for _ in range(JSON_TRIES):
        starts = [position for position in (text.find("{", at), text.find("[", at)) if position >= 0]
        if not starts:
            return
        try:
            value, at = decoder.raw_decode(text, min(starts))
            yield value
        except (ValueError, RecursionError):
            at = min(starts) + 1


def tickets_in(value: Any, depth: int = 4) -> list[dict[str, Any]] | None:
    """The first list of things with a subject in this JSON value, or its empty list `tickets`; None without one."""
    if isinstance(value, list):
        found = [item for item in value if isinstance(item, dict) and any(name in item for name in SUBJECTS)]
        return found or None
    if not isinstance(value, dict) or depth == 0:
        return None
    if value.get("tickets") == []:
        return []
    inner = (tickets_in(item, depth - 1) for item in value.values())
    return next((found for found in inner if found is not None), None)


def triaged(tickets: list[dict[str, Any]]) -> dict[str, Any]:
    """{summary, tickets: [{id, subject, status, priority, action}]}, the urgent ones first."""
    rows = [_row(number, ticket) for number, ticket in enumerate(tickets, 1)]
    rows.sort(key=lambda row: -PRIORITIES.index(row["priority"]))
    count = Counter(row["priority"] for row in rows)
    parts = ", ".join(f"{count[priority]} {priority}" for priority in reversed(PRIORITIES) if count[priority])
    noun = "ticket" if len(rows) == 1 else "tickets"
    told = f"{len(rows)} {noun} triaged" + (f": {parts}" if parts else "")
    return {
        "summary": f"{told}. Made by the rules of the built-in offline model, without a language model.",
        "tickets": rows,
    }


def _row(number: int, ticket: dict[str, Any]) -> dict[str, Any]:
    subject = next((str(ticket[name]) for name in SUBJECTS if ticket.get(name)), "")
    text = plain(" ".join(str(part) for part in ticket.values() if isinstance(part, str)))
    return {
        "id": str(ticket.get("id") or number),
        "subject": subject,
        "status": str(ticket.get("status") or "open"),
        "priority": _priority(text, str(ticket.get("priority") or "")),
        "action": next((action for stems, action in ACTION_RULES if _begins(stems, text)), ANSWER),
    }


def _priority(text: str, given: str) -> str:
    """What the rules say, but never less than what the ticket says itself."""
    ruled = next((priority for priority, stems in PRIORITY_RULES if _begins(stems, text)), "normal")
    return max(ruled, given, key=PRIORITIES.index) if given in PRIORITIES else ruled


def _begins(stems: tuple[str, ...], text: str) -> bool:
    """True when one of the stems begins a word of the text."""
    return re.search(rf"\b(?:{'|'.join(stems)})", text) is not None
