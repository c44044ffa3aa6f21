"""Names of tables and columns: what clients call them → what PostgreSQL calls them, the same each time."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from config.errors import Invalid

NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
MAX_COLUMNS = 200
MAX_BASE = 56  # of 63 characters: numbers are put behind names that are taken
SYSTEM = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})  # columns that every table has already
LETTERS = str.maketrans({"ø": "o", "đ": "d", "ð": "d", "ł": "l", "æ": "ae", "œ": "oe", "þ": "th", "ı": "i", "ħ": "h",
                         "ŧ": "t", "ŋ": "n"})  # fmt: skip
# What PostgreSQL takes as a name in double quotes only (pg_get_keywords, reserved and of types or functions).
_KEYWORDS = """
    all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation
    column concurrently constraint create cross current_catalog current_date current_role current_schema current_time
    current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze
    from full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit
    localtime localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references
    returning right select session_user similar some symmetric system_user table tablesample then to trailing true
    union unique user using variadic verbose when where window with
"""
KEYWORDS = frozenset(_KEYWORDS.split())


@dataclass
class Column:
    """A column of a table: its name there and what is odd about it, what the rows call it, its type and why."""

    name: str
    key: str
    type: str = "text"
    reason: str = ""
    note: str = ""


def column_name(key: str, existing: Iterable[str] = (), position: int = 0) -> str:
    """A column's name for this key: small letters of ASCII, digits and _, unlike those taken.

    Accents are folded; where other letters had to go, a digest of the key stands for them; a blank key gives
    column_<position>.
    """
    return _unique_name(key, existing, position)[0]


def columns_of(keys: Iterable[str]) -> list[Column]:
    """A column for each key, in their order."""
    columns: dict[str, Column] = {}
    for position, key in enumerate(keys, start=1):
        if position > MAX_COLUMNS:
            raise Invalid({"rows": [f"A table has at most {MAX_COLUMNS} columns."]})
        name, reason = _unique_name(key, columns, position)
        label = f"Column {position}" + (f", {quote_text(key)}," if key.strip() else "")
        note = f"{label} is called {name}: {reason}." if reason else ""
        if name in KEYWORDS:
            note = f"{label} is called {name}, a word of SQL; write {quote_identifier(name)} there."
        columns[name] = Column(name, key, note=note)
    return list(columns.values())


def quote_identifier(name: str) -> str:
    """The name as SQL takes it."""
    return f'"{name}"' if name in KEYWORDS else name


def quote_text(text: str, max_length: int = 60) -> str:
    """A user's text as sentences name it."""
    text = text if len(text) <= max_length else f"{text[:max_length]}…"
    return f"'{text}'" if text.isprintable() else repr(text)


def _unique_name(key: str, existing: Iterable[str], position: int) -> tuple[str, str]:
    """(the name, why it differs from the key)."""
    plain, reason = _plain(key, position)
    name, number = plain, 2
    while name in existing or name in SYSTEM:
        reason = "PostgreSQL has a column of that name" if plain in SYSTEM else f"the name {plain} is taken"
        name, number = f"{plain}_{number}", number + 1
    return name, reason


def _plain(key: str, position: int) -> tuple[str, str]:
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", key.strip()).casefold()).translate(LETTERS)
    text = "".join(character for character in text if not unicodedata.combining(character))
    plain, reason = re.sub(r"[^a-z0-9_]+", "_", text).strip("_"), ""
    if not key.strip():
        plain, reason = f"column_{position}" if position else "column", "it has no name of its own"
    elif not plain or any(character.isalnum() and not character.isascii() for character in text):
        digest = hashlib.sha256(unicodedata.normalize("NFC", key.strip()).encode("utf-8", "replace")).hexdigest()[:8]
        plain = f"{plain[: MAX_BASE - 9].strip('_') or 'column'}_{digest}"
        reason = "names have letters of ASCII only"
    elif len(plain) > MAX_BASE:
        plain, reason = plain[:MAX_BASE], "the name would be too long"
    return (plain if NAME.fullmatch(plain) else f"_{plain}"), reason
