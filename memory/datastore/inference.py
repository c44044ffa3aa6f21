"""Rows as clients send them → columns with types. Whatever does not fit a narrower type is text."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson

from config.errors import Invalid

NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
COLUMNS_MOST = 200
INTEGER = re.compile(r"[+-]?(0|[1-9]\d{0,17})")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
TRUE, FALSE = frozenset({"true", "yes"}), frozenset({"false", "no"})
CSV_FIELD_MOST = 1_000_000
SYSTEM = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})  # columns that every table has already


@dataclass
class Column:
    """A column of a table to be: its name there, the key it has in the rows, and its type."""

    name: str
    key: str
    type: str = "text"


def column_name(key: str, taken: Iterable[str]) -> str:
    """A column's name for this key: lower case, letters, digits and _, unlike those taken."""
    plain = re.sub(r"[^a-z0-9_]+", "_", key.strip().lower()).strip("_")[:56] or "column"
    plain = plain if NAME.fullmatch(plain) else f"_{plain}"
    name, number = plain, 2
    while name in taken or name in SYSTEM:
        name, number = f"{plain}_{number}", number + 1
    return name


def columns_of(keys: Iterable[str]) -> list[Column]:
    """A column for each key, in their order."""
    found: dict[str, Column] = {}
    for key in keys:
        name = column_name(key, found)
        found[name] = Column(name, key)
        if len(found) > COLUMNS_MOST:
            raise Invalid({"rows": [f"A table has at most {COLUMNS_MOST} columns."]})
    return list(found.values())


class Guess:
    """The narrowest type that all values of a column have had so far."""

    def __init__(self, from_text: bool) -> None:
        self.from_text = from_text
        self.kinds: set[str] = set()

    def see(self, value: Any) -> None:
        """One more value; a missing one says nothing."""
        if value is None or (self.from_text and value == ""):
            return
        self.kinds.add(_kind_of_text(value) if self.from_text else _kind(value))

    @property
    def type(self) -> str:
        """PostgreSQL's name of it."""
        if len(self.kinds) == 1:
            return next(iter(self.kinds))
        if self.kinds and self.kinds <= {"bigint", "double precision"}:
            return "double precision"
        if self.kinds and self.kinds <= {"date", "timestamptz"}:
            return "timestamptz"
        return "jsonb" if "jsonb" in self.kinds else "text"


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "bigint"
    if isinstance(value, float):
        return "double precision"
    return "jsonb" if isinstance(value, dict | list) else "text"


def _kind_of_text(text: str) -> str:
    text = text.strip()
    if INTEGER.fullmatch(text):
        return "bigint"
    if NUMBER.fullmatch(text) and not re.match(r"[+-]?0\d", text):  # 007 is a code
        return "double precision"
    if text.lower() in TRUE | FALSE:
        return "boolean"
    if len(text) >= 10 and text[4:5] == "-" and text[7:8] == "-":
        try:
            return "date" if date.fromisoformat(text) else "text"
        except ValueError:
            return _moment(text)
    return "text"


def _moment(text: str) -> str:
    try:
        return "timestamptz" if datetime.fromisoformat(text) else "text"
    except ValueError:
        return "text"


def converted(value: Any, type: str, from_text: bool) -> Any:
    """The value for a column of this type; ValueError when it does not fit."""
    if value is None:
        return None
    if from_text and isinstance(value, str) and type != "text":
        value = value.strip()
        if value == "":
            return None
    if type == "jsonb":
        return orjson.dumps(value).decode()
    if type == "text":
        return value if isinstance(value, str) else orjson.dumps(value).decode()
    if type == "boolean":
        return _boolean(value)
    if type == "bigint":
        return _integer(value)
    if type == "double precision" and not isinstance(value, bool | dict | list):
        return float(value)
    if type in ("date", "timestamptz") and isinstance(value, str):
        return value
    raise ValueError(value)


def _boolean(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in TRUE | FALSE:
        return value.lower() in TRUE
    if isinstance(value, bool):
        return value
    raise ValueError(value)


def _integer(value: Any) -> int:
    if isinstance(value, bool | dict | list) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError(value)
    return int(value)


def csv_rows(text: io.TextIOBase, field: str = "file") -> Iterator[dict[str, str]]:
    """The rows of a CSV (RFC 4180; comma, semicolon or tab), by the names in its first line."""
    csv.field_size_limit(CSV_FIELD_MOST)
    first = text.readline()
    delimiter = max(",;\t", key=first.count)
    try:
        header = next(csv.reader([first], delimiter=delimiter), [])
    except csv.Error as fault:
        raise Invalid({field: [f"The first line of the CSV cannot be read: {fault}."]}) from None
    if not any(name.strip() for name in header):
        raise Invalid({field: ["The CSV needs a first line with the names of its columns."]})
    if len(set(header)) < len(header):
        raise Invalid({field: ["Two columns of the CSV have the same name."]})
    try:
        for number, row in enumerate(csv.reader(text, delimiter=delimiter, strict=True), start=2):
            if not row:
                continue
            if len(row) > len(header):
                raise Invalid({field: [f"Line {number} has {len(row)} values, but there are {len(header)} columns."]})
            yield dict(zip(header, row, strict=False))
    except csv.Error as fault:
        raise Invalid({field: [f"The CSV cannot be read: {fault}."]}) from None
