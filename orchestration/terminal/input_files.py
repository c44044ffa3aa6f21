"""A CSV or JSON file of the user's own → the input of a run, or a sentence that says what is wrong with the file."""

import csv
import io
from itertools import zip_longest
from pathlib import Path
from typing import Any

from rest_framework.exceptions import ParseError

from config.errors import DomainError
from config.parsers import loads

MOST_BYTES = 512 * 1024
MOST_ROWS = 1_000
MOST_COLUMNS = 50


class UnusableFile(DomainError):
    """The file cannot be the input of a run."""


def read_input(path: Path, rows_as: str) -> dict[str, Any]:
    """The file's JSON object, or {rows_as: [an object per row]} of a CSV file or a JSON list."""
    text = _text(path)
    suffix = path.suffix.lower()
    if suffix == ".json" or (suffix not in (".csv", ".tsv") and text.lstrip()[:1] in ("{", "[")):
        return _from_json(text, path, rows_as)
    return {rows_as: _from_csv(text, path)}


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise UnusableFile(f"{path} has {size:,} bytes; a run's input file may have {MOST_BYTES:,}. Split it.")
        raw = path.read_bytes()
    except OSError as fault:
        raise UnusableFile(f"{path} cannot be read: {fault.strerror}.") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        where = f"byte {fault.start + 1} (line {raw.count(10, 0, fault.start) + 1})"
        raise UnusableFile(
            f"{path} is not UTF-8: see {where}. Save it as UTF-8, in a spreadsheet as “CSV UTF-8”."
        ) from None
    if not text.strip():
        raise UnusableFile(f"{path} is empty.")
    if "\0" in text:
        raise UnusableFile(f"{path} holds NUL characters; is it a text file?")
    return text


def _from_json(text: str, path: Path, rows_as: str) -> dict[str, Any]:
    try:
        value = loads(text.encode())
    except ParseError as fault:
        raise UnusableFile(
            f"{path} is no JSON that can be used: {str(fault.detail).removeprefix('The body ')}"
        ) from None
    if isinstance(value, dict):
        return value
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise UnusableFile(f"{path} must hold a JSON object, or a list of objects.")
    _check_rows(len(value), path)
    return {rows_as: value}


def _from_csv(text: str, path: Path) -> list[dict[str, str]]:
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        header = _header(next(lines), path)
        rows = [_row(header, line, lines.line_num, path) for line in lines if any(cell.strip() for cell in line)]
    except csv.Error as fault:
        raise UnusableFile(f"{path}, line {lines.line_num}: {fault}.") from None
    _check_rows(len(rows), path)
    return rows


def _check_rows(count: int, path: Path) -> None:
    if not count:
        raise UnusableFile(f"{path} has no rows.")
    if count > MOST_ROWS:
        raise UnusableFile(f"{path} has {count:,} rows; one run takes {MOST_ROWS:,}. Split it.")


def _delimiter(text: str) -> str:
    """The one of , ; and tab that the first line has most of."""
    first = text.lstrip("\r\n").split("\n", 1)[0]
    return max(",;\t", key=first.count)


def _header(cells: list[str], path: Path) -> list[str]:
    names = [cell.strip() for cell in cells]
    if len(names) > MOST_COLUMNS:
        raise UnusableFile(f"{path} has {len(names)} columns; at most {MOST_COLUMNS} are taken.")
    if not all(names):
        raise UnusableFile(
            f"{path}: column {names.index('') + 1} has no name in the first line, which must name all columns."
        )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UnusableFile(f"{path}: two columns have the name {twice!r} in the first line.")
    return names


def _row(header: list[str], cells: list[str], line: int, path: Path) -> dict[str, str]:
    if len(cells) > len(header):
        hint = "put a text that holds the separator in double quotes"
        raise UnusableFile(f"{path}, line {line}: {len(cells)} values for {len(header)} columns; {hint}.")
    return dict(zip_longest(header, (cell.strip() for cell in cells), fillvalue=""))
