"""SQL that stands in `.sql` files, which psql runs as they are: Python takes each statement by its name.

A line `-- name: claim` begins a statement. `:'tenant'` is a value and `:"table"` an identifier, as psql writes its
variables; what stands before the first name is psql's alone: `\\set` lines with samples, so that the file runs by hand.
"""

import re
from importlib.resources import files

NAME = re.compile(r"^-- name: *(\w+)\s*$", re.MULTILINE)
COMMENT = re.compile(r"^\s*--.*\n?", re.MULTILINE)
VALUE = re.compile(r":'(\w+)'")
IDENTIFIER = re.compile(r':"(\w+)"')


def load_queries(package: str | None, file: str) -> dict[str, str]:
    """name → statement of a package's file, with psycopg's `%(tenant)s` for each `:'tenant'`; without comment lines.

    ValueError when a name stands there twice. A `%` is doubled only where there are values: psycopg reads it as a
    placeholder only there.
    """
    _, *parts = NAME.split(files(package or "").joinpath(file).read_text())
    queries: dict[str, str] = {}
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        if name in queries:
            raise ValueError(f"{file} has two statements named {name}.")
        queries[name] = _with_placeholders(COMMENT.sub("", text).strip().removesuffix(";"))
    return queries


def with_identifiers(statement: str, **identifiers: str) -> str:
    """The statement with each `:"table"` as a quoted identifier; KeyError when one is missing."""
    return IDENTIFIER.sub(lambda match: '"' + identifiers[match[1]].replace('"', '""') + '"', statement)


def _with_placeholders(statement: str) -> str:
    if not VALUE.search(statement):
        return statement
    return VALUE.sub(r"%(\1)s", statement.replace("%", "%%"))
