"""What the offline model understands of plain requests, in English and Portuguese: which tool is meant, with what."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Arguments = Callable[[re.Match[str]], dict[str, Any]]
QUOTES = "\"'“”‘’` "
END = ".!?… "


@dataclass(frozen=True)
class Request:
    """A form of request, the tool that does it, and what the tool is given."""

    form: re.Pattern[str]
    tool: str
    arguments: Arguments


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


def bare(text: str) -> str:
    """The text without quotes and closing marks around it."""
    return text.strip().strip(QUOTES).rstrip(END).strip(QUOTES)


REQUESTS = (
    Request(
        _form(r"\b(?:remember|note|keep in mind|lembre(?:-se)?|anote)(?:\s*:|\s+(?:that|de que|que|:))\s*(.+)"),
        "memory.store",
        lambda found: {"content": bare(found[1]), "type": "long_term", "owner_type": "user"},
    ),
    Request(
        _form(
            r"\b(?:what (?:do|did) (?:you|we|i) (?:know|remember|say|tell you) about|search (?:your |my )?memory for"
            r"|recall|o que (?:voc[eê] )?(?:sabe|lembra)(?: sobre| de| do| da)?|procure na mem[oó]ria por)\s+(.+)"
        ),
        "memory.search",
        lambda found: {"query": bare(found[1]), "threshold": 0.4, "limit": 5},
    ),
    Request(
        _form(
            r"\b(?:write|create|save|make|crie|escreva|salve|grave)\b(?: a| an| the| um| o)?(?: file| arquivo)?"
            r"(?: called| named| chamado)?\s+[\"'“]?([\w./-]+\.\w+)[\"'”]?"
            r"(?: with(?: the)?(?: content| text)?| com(?: o)?(?: conte[uú]do| texto)?| saying)?\s*:?\s+(.+)"
        ),
        "files.write",
        lambda found: {"path": found[1], "content": found[2].strip().strip(QUOTES)},
    ),
    Request(
        _form(
            r"\b(?:read|show|open|leia|mostre|abra)\b(?: me)?(?: the| o)?(?: file| arquivo)?"
            r"\s+[\"'“]?([\w./-]+\.\w+)"
        ),
        "files.read",
        lambda found: {"path": found[1]},
    ),
    Request(_form(r"\b(?:list|show|liste|mostre)\b.{0,20}\b(?:files|arquivos)\b"), "files.list", lambda found: {}),
    Request(
        _form(r"\b(?:list|show|which|liste|mostre|quais)\b.{0,30}\b(?:tickets|chamados)\b"),
        "ticketing.list_open",
        lambda found: {},
    ),
    Request(
        _form(r"\b(?:how many|count|show|list|quantos|quantas|mostre|liste)\b.{1,80}"),
        "natural_language_db_read",
        lambda found: {"query": found[0]},
    ),
)


def meant(text: str) -> list[tuple[str, dict[str, Any]]]:
    """(tool, arguments) of each request that the text may be, the likeliest first."""
    found = ((request, request.form.search(text)) for request in REQUESTS)
    return [(request.tool, request.arguments(match)) for request, match in found if match]


def told(tool: str, result: Any) -> str:
    """A tool's result in plain words; "" when there are none for it."""
    if not isinstance(result, dict | list):
        return ""
    if isinstance(result, dict) and "error" in result and "error_type" in result:
        return f"That did not work: {result['error']}"
    teller = _TELLERS.get(tool)
    return teller(result) if teller else ""


def _memories(result: Any) -> str:
    if not result:
        return "I remember nothing about that."
    return "I remember:\n" + "\n".join(f"- {memory['content']}" for memory in result)


def _files(result: Any) -> str:
    lines = [f"- {file['path']} ({file['size']} bytes)" for file in result["files"]]
    return "\n".join(["There are no files yet." if not lines else "The files:", *lines])


def _tickets(result: Any) -> str:
    lines = [f"- {ticket.get('id')}: {ticket.get('subject')}" for ticket in result["tickets"]]
    return "\n".join([f"{result['count']} tickets are open:", *lines])


def _rows(result: Any) -> str:
    rows = result["results"]
    if len(rows) == 1 and len(rows[0]) == 1:
        return f"{next(iter(rows[0].values()))} (by {result['sql']})"
    lines = ["- " + ", ".join(f"{name}: {value}" for name, value in row.items()) for row in rows[:20]]
    return "\n".join([f"{result['rowCount']} rows (by {result['sql']}):", *lines])


_TELLERS: dict[str, Callable[[Any], str]] = {
    "memory.store": lambda result: "I will remember that.",
    "memory.search": _memories,
    "files.write": lambda result: f"Written: {result['path']}, {result['size']} bytes, version {result['version']}.",
    "files.read": lambda result: str(result["content"]),
    "files.list": _files,
    "ticketing.list_open": _tickets,
    "natural_language_db_read": _rows,
}


def sql_for(question: str, tables: dict[str, list[str]]) -> str:
    """A SELECT by rules: the rows of the table that the question names, or how many they are; "" when it names none."""
    heard = re.sub(r"[\W_]+", "_", question.lower())
    named = [table for table in sorted(tables, key=len, reverse=True) if f"_{table}_" in f"_{heard}_"]
    if not named:
        return ""
    if re.search(r"\b(how many|count|number of|quantos|quantas)\b", question, re.IGNORECASE):
        return f"SELECT count(*) AS n FROM {named[0]}"
    return f"SELECT * FROM {named[0]} LIMIT 20"
