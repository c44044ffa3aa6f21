"""One reading of what a model writes around its answer: thoughts before it, a byte order mark, fences, prose.

The text itself stays as it came wherever people see it; who needs its JSON, its SQL or its first word asks here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from config.values.foreign_json import read_json

MARKS = "\ufeff\u200b\u2060"  # byte order mark, and blanks without a width, which no strip() takes away
# Thoughts stand before the answer. Where the prompt's template opened them, the answer has the end alone.
THINKING = re.compile(
    r"\s*(?:<(think|thinking|thought|reasoning)>.*?(?:</\1>|\Z)|\[think\].*?(?:\[/think\]|\Z))",
    re.DOTALL | re.IGNORECASE,
)
THOUGHTS_END = re.compile(r"</(?:think|thinking|thought|reasoning)>(?=[ \t]*(?:\r?\n|$)|\s*[{\[`])", re.IGNORECASE)
FENCE = re.compile(
    r"(?P<fence>`{3,}|~{3,})[ \t]*"
    r"(?:(?P<line>[\w+#./-]*)[ \t]*\r?\n|(?P<word>json[5cl]?|(?:postgre|pg|my)?sql|postgres)\b)?",
    re.IGNORECASE,
)
MAX_FENCES = 50  # of one answer; each is looked for through the whole text
SQL_LANGUAGES = frozenset({"sql", "postgresql", "postgres", "psql", "pgsql", "plpgsql", "mysql"})

STATEMENT = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:select|with|insert|update)\b", re.DOTALL | re.IGNORECASE)


def answer_text(text: str) -> str:
    """The answer without what the model thought before it; "" when it came to no end of its thoughts."""
    text = _bare(text)
    while match := THINKING.match(text):
        text = _bare(text[match.end() :])
    if ends := list(THOUGHTS_END.finditer(text)):
        text = text[ends[-1].end() :].strip()
    return text


def answer_json(text: str) -> Any:
    """The JSON value that the answer is, bare or in a code fence, of several fences the last; ValueError without one.

    The value is one that can be recorded (config/values/foreign_json.py).
    """
    answer = answer_text(text)
    for candidate in (_bare(text), answer):
        try:
            return read_json(candidate)
        except ValueError:
            continue
    values = [value for fence in _fences(answer) for value in _values(fence.body)]
    if not values:
        raise ValueError("The answer is not JSON.")
    return next((value for value in reversed(values) if isinstance(value, dict)), values[-1])


def answer_sql(text: str) -> str:
    """The statement that the answer is: in the last fence of SQL, else of something that begins like it, else bare."""
    answer = answer_text(text)
    fences = [fence for fence in _fences(answer) if fence.body.strip()]
    with_language = [fence for fence in fences if fence.language in SQL_LANGUAGES]
    on_own_line = [fence for fence in fences if fence.begins_line]
    statements = [fence for fence in fences if STATEMENT.match(fence.body)]
    candidates = with_language or statements or on_own_line
    return candidates[-1].body.strip() if candidates else answer


@dataclass(frozen=True)
class Fence:
    """What a code fence holds; its language is in lower case."""

    language: str
    body: str
    begins_line: bool


def _bare(text: str) -> str:
    return text.strip().strip(MARKS).strip()


def _values(body: str) -> list[Any]:
    try:
        return [read_json(body)]
    except ValueError:
        return []


def _fences(text: str) -> Iterator[Fence]:
    """The code fences of a text, the last one also without its end; twice one whose end is not sure."""
    at = 0
    for _ in range(MAX_FENCES):
        if not (begin := FENCE.search(text, at)):
            return
        language = (begin["line"] or begin["word"] or "").lower()
        begins_line = not text[: begin.start()].rpartition("\n")[2].strip()
        for at in _ends(text, begin):
            yield Fence(language, text[begin.end() : at], begins_line)
        at = min(at + len(begin["fence"]), len(text))


def _ends(text: str, begin: re.Match[str]) -> list[int]:
    """Where the fence's end may begin: at the next one, and alone on a line, as fences may stand in its texts too."""
    next_one = text.find(begin["fence"], begin.end())
    if next_one < 0:
        return [len(text)]
    fence = re.escape(begin["fence"])
    alone = re.compile(rf"^[ \t]*{fence}[ \t]*\r?$", re.MULTILINE).search(text, begin.end())
    if begin["line"] is None or alone is None or alone.end() <= next_one + len(fence):
        return [next_one]
    return [next_one, alone.start()]
