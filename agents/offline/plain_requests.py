"""Plain requests that the offline model understands, in English and Portuguese: their forms, tools and arguments."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from agents.offline.texts import QUOTES, pattern
from config.values.json_types import JsonObject

MARKS = QUOTES + " "
SENTENCE_ENDS = ".!?… "


@dataclass(frozen=True)
class PlainRequest:
    """A form of request, the tool that does it, and the tool's arguments for a match."""

    form: re.Pattern[str]
    tool: str
    arguments: Callable[[re.Match[str]], JsonObject]


def trim(text: str) -> str:
    """The text without quotes and sentence ends at its edges."""
    return text.strip().strip(MARKS).rstrip(SENTENCE_ENDS).strip(MARKS)


REQUESTS = (
    PlainRequest(
        pattern(r"\b(?:remember|note|keep in mind|lembre(?:-se)?|anote)(?:\s*:|\s+(?:that|de que|que|:))\s*(.+)"),
        "memory.store",
        lambda match: {"content": trim(match[1]), "type": "long_term", "owner_type": "user"},
    ),
    PlainRequest(
        pattern(
            r"\b(?:what (?:do|did) (?:you|we|i) (?:know|remember|say|tell you) about|search (?:your |my )?memory for"
            r"|recall|o que (?:voc[eê] )?(?:sabe|lembra)(?: sobre| de| do| da)?|procure na mem[oó]ria por)\s+(.+)"
        ),
        "memory.search",
        lambda match: {"query": trim(match[1]), "threshold": 0.4, "limit": 5},
    ),
    PlainRequest(
        pattern(
            r"\b(?:write|create|save|make|crie|escreva|salve|grave)\b(?: a| an| the| um| o)?(?: file| arquivo)?"
            r"(?: called| named| chamado)?\s+[\"'“]?([\w./-]+\.\w+)[\"'”]?"
            r"(?: with(?: the)?(?: content| text)?| com(?: o)?(?: conte[uú]do| texto)?| saying)?\s*:?\s+(.+)"
        ),
        "files.write",
        lambda match: {"path": match[1], "content": match[2].strip().strip(MARKS)},
    ),
    PlainRequest(
        pattern(
            r"\b(?:read|show|open|leia|mostre|abra)\b(?: me)?(?: the| o)?(?: file| arquivo)?"
            r"\s+[\"'“]?([\w./-]+\.\w+)"
        ),
        "files.read",
        lambda match: {"path": match[1]},
    ),
    PlainRequest(
        pattern(r"\b(?:list|show|liste|mostre)\b.{0,20}\b(?:files|arquivos)\b"), "files.list", lambda match: {}
    ),
    PlainRequest(
        pattern(r"\b(?:list|show|which|liste|mostre|quais)\b.{0,30}\b(?:tickets|chamados)\b"),
        "ticketing.list_open",
        lambda match: {},
    ),
    PlainRequest(
        pattern(r"\b(?:how many|count|show|list|quantos|quantas|mostre|liste)\b.{1,80}"),
        "natural_language_db_read",
        lambda match: {"query": match[0]},
    ),
)


def matching_calls(text: str) -> list[tuple[str, JsonObject]]:
    """(tool, arguments) of each form that the text matches, the likeliest first."""
    matches = ((request, request.form.search(text)) for request in REQUESTS)
    return [(request.tool, request.arguments(match)) for request, match in matches if match]
