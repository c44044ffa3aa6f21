"""A CSV or JSON file of the user's own → the input of a run, or a sentence that says what is wrong with the file."""

import io
from pathlib import Path
from typing import Any

from rest_framework.exceptions import ParseError

from config.errors import DomainError
from config.http.parsers import loads
from config.values.foreign_csv import CSVFile, UnreadableCSV, encoding_of, unique_names

MAX_BYTES = 512 * 1024
MAX_ROWS = 1_000
MAX_COLUMNS = 50


class UnusableFile(DomainError):
    """The file cannot be the input of a run."""


def read_input(path: Path, rows_as: str) -> dict[str, Any]:
    """The file's JSON object, or {rows_as: [an object per row]} of a CSV file or a JSON list."""
    raw = _bytes(path)
    suffix = path.suffix.lower()
    if suffix == ".json" or (suffix not in (".csv", ".tsv") and raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")):
        return _from_json(raw, path, rows_as)
    return {rows_as: _from_csv(raw, path)}


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise UnusableFile(f"{path} has {size:,} bytes; a run's input file may have {MAX_BYTES:,}. Split it.")
        raw = path.read_bytes()
    except OSError as fault:
        raise UnusableFile(f"{path} cannot be read: {fault.strerror}.") from None
    if not raw.strip():
        raise UnusableFile(f"{path} is empty.")
    return raw


def _from_json(raw: bytes, path: Path, rows_as: str) -> dict[str, Any]:
    try:
        value = loads(raw.decode(encoding_of(io.BytesIO(raw))).encode())
    except ParseError as fault:
        raise UnusableFile(
            f"{path} is no JSON that can be used: {str(fault.detail).removeprefix('The body ')}"
        ) from None
    except (UnreadableCSV, UnicodeDecodeError) as fault:
        raise UnusableFile(f"{path}: {fault}") from None
    if isinstance(value, dict):
        return value
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise UnusableFile(f"{path} must hold a JSON object, or a list of objects.")
    _check_rows(len(value), path)
    return {rows_as: value}


def _from_csv(raw: bytes, path: Path) -> list[dict[str, str]]:
    """Names and texts as they are; columns without a name, or with one that is taken, get one of their own."""
    try:
        file = CSVFile(io.BytesIO(raw))
        if len(file.header) > MAX_COLUMNS:
            raise UnusableFile(f"{path} has {len(file.header)} columns; at most {MAX_COLUMNS} are taken.")
        names = unique_names(file.header)
        rows_with_cells = (
            record.cells for record in file.records() if any(cell and cell.strip() for cell in record.cells)
        )
        rows = [{name: cell or "" for name, cell in zip(names, cells, strict=True)} for cells in rows_with_cells]
    except UnreadableCSV as fault:
        raise UnusableFile(f"{path}: {fault}") from None
    _check_rows(len(rows), path)
    return rows


def _check_rows(count: int, path: Path) -> None:
    if not count:
        raise UnusableFile(f"{path} has no rows.")
    if count > MAX_ROWS:
        raise UnusableFile(f"{path} has {count:,} rows; one run takes {MAX_ROWS:,}. Split it.")
