"""Questions about tables, answered with SQL by rules."""

import re

from agents.offline.texts import identifier

TABLE = re.compile(r"^(\w+)\((.*)\)$", re.MULTILINE)  # as the prompt of natural_language_db lists them
COUNT = re.compile(r"\b(how many|count|number of|quantos|quantas)\b", re.IGNORECASE)
MAX_ROWS = 20


def tables_of(prompt: str) -> list[str]:
    """The names of the tables that the prompt lists."""
    return [name for name, _ in TABLE.findall(prompt)]


def select_statement(question: str, tables: list[str]) -> str:
    """A SELECT of the rows of the table that the question names, or of their number; "" when it names none."""
    text = identifier(question)
    names = [table for table in sorted(tables, key=len, reverse=True) if f"_{table}_" in f"_{text}_"]
    if not names:
        return ""
    if COUNT.search(question):
        return f"SELECT count(*) AS n FROM {names[0]}"
    return f"SELECT * FROM {names[0]} LIMIT {MAX_ROWS}"
