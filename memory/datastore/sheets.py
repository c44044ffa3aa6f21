"""Rows as clients send them, CSV or JSON, in one form: keys, and for each row a value or None for each of them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from config.errors import Invalid
from config.values.foreign_csv import CSVFile, UnreadableCSV
from config.values.json_types import JsonObject
from memory.datastore.column_types import ColumnValues
from memory.datastore.names import Column, columns_of

Row = tuple[int, list[Any]]  # the line of a file or the number of an object, and the values


@dataclass(frozen=True)
class Sheet:
    """Rows that can be read more than once; those `of_file` have lines, others their place in a list."""

    keys: list[str]
    rows: Callable[[], Iterator[Row]]
    from_text: bool
    of_file: bool
    notes: list[str] = field(default_factory=list)

    def at(self, number: int) -> str:
        """The place of a row, as sentences name it."""
        return f"line {number}" if self.of_file else f"rows[{number}]"

    def misfit(self, number: int, key: str, reason: str, kind: str) -> Invalid:
        """The error of a value that does not fit its column."""
        sentence = f"{reason}; the column is of type {kind}. Nothing was loaded."
        if self.of_file:
            return Invalid({"file": [f"Line {number}, column {key}: {sentence}"]})
        return Invalid({f"{self.at(number)}.{key}": [sentence]})


def csv_sheet(source: IO[bytes]) -> Sheet:
    """The rows of a CSV; Invalid naming the line of what cannot be read."""
    try:
        file = CSVFile(source)
    except UnreadableCSV as fault:
        raise Invalid({"file": [str(fault)]}) from None

    def rows() -> Iterator[Row]:
        try:
            for record in file.records():
                yield record.line, record.cells
        except UnreadableCSV as fault:
            raise Invalid({"file": [str(fault)]}) from None

    return Sheet(file.header, rows, True, True, file.notes)


def object_sheet(rows: Iterable[JsonObject], from_text: bool = False) -> Sheet:
    """Rows as objects; their keys in the order in which they first come."""
    objects = list(rows)
    keys = list(dict.fromkeys(key for row in objects for key in row))

    def numbered_rows() -> Iterator[Row]:
        return ((number, [row.get(key) for key in keys]) for number, row in enumerate(objects))

    return Sheet(keys, numbered_rows, from_text, of_file=False)


def typed_columns(sheet: Sheet) -> list[Column]:
    """The columns that these rows need, each of the narrowest type that loses nothing of its values."""
    columns = columns_of(sheet.keys)
    if not columns:
        raise Invalid({"rows": ["Send at least one row with at least one column."]})
    values = [ColumnValues(sheet.from_text) for _ in columns]
    count = 0
    for number, row in sheet.rows():
        count += 1
        for column_values, value in zip(values, row, strict=True):
            column_values.add(value, number)
    if not count:
        raise Invalid({"rows": ["The CSV has no rows." if sheet.of_file else "Send at least one row."]})
    for column, column_values in zip(columns, values, strict=True):
        column.type, column.reason = column_values.conclusion(sheet.at)
    return columns
