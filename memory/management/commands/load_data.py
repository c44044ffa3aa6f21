"""manage.py load_data FILE: fill a table of a tenant's data store from a CSV or JSON file of any size."""

import io
import json
from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from accounts.arguments import find_tenants
from config.errors import DomainError
from memory.datastore.inference import column_name, csv_rows
from memory.datastore.tables import MODES, Table, guessed, load_table

BATCH = 20_000


class Command(BaseCommand):
    """All or nothing: a row that does not fit leaves the table as it was."""

    help = "Load a CSV or a JSON array of objects into a table that the NL-DB tools read."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What, where to, and how."""
        parser.add_argument("file", type=Path, help="A .csv, or a .json with an array of objects.")
        parser.add_argument("--tenant", default="demo")
        parser.add_argument("--table", help="The table's name; the file's name without one.")
        parser.add_argument("--mode", choices=MODES, default="create")
        parser.add_argument("--json", action="store_true", help="Print the table as JSON and nothing else.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Load, and tell what is there."""
        file: Path = options["file"]
        find_tenants([options["tenant"]])
        try:
            with file.open("rb") as raw:
                table = self._load(raw, file, options)
        except OSError as fault:
            raise CommandError(f"{file}: {fault.strerror}.") from None
        except UnicodeDecodeError:
            raise CommandError(f"{file} must be UTF-8.") from None
        except DomainError as fault:
            raise CommandError(fault.message) from None
        if options["json"]:
            self.stdout.write(json.dumps(table.json()))
        else:
            columns = ", ".join(f"{column['name']} {column['type']}" for column in table.json()["columns"])
            self.stdout.write(f"{table.name}: {table.rows} rows ({columns})")

    def _load(self, raw: IO[bytes], file: Path, options: dict[str, Any]) -> Table:
        """Read the file twice: what its columns hold, then its rows."""
        name = options["table"] or column_name(file.stem, ())
        is_csv = file.suffix.lower() != ".json"
        shown = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*shown, disable=options["json"]) as progress, transaction.atomic():
            looking, loading = (
                progress.add_task(f"{verb} {name}", total=file.stat().st_size) for verb in ("Looking at", "Loading")
            )
            columns = guessed(_followed(_rows(raw, is_csv), raw, progress, looking), from_text=is_csv)
            rows, mode = _rows(raw, is_csv), options["mode"]
            while batch := list(islice(rows, BATCH)):
                table = load_table(options["tenant"], name, batch, mode, is_csv, columns)
                progress.update(loading, completed=raw.tell())
                mode = "append"
            return table


def _followed(
    rows: Iterator[dict[str, Any]], raw: IO[bytes], progress: Progress, bar: TaskID
) -> Iterator[dict[str, Any]]:
    """The rows, with the bar moving along."""
    for number, row in enumerate(rows):
        if number % BATCH == 0:
            progress.update(bar, completed=raw.tell())
        yield row
    progress.update(bar, completed=raw.tell())


def _rows(raw: IO[bytes], is_csv: bool) -> Iterator[dict[str, Any]]:
    """The file's rows from its beginning."""
    raw.seek(0)
    if not is_csv:
        return _json_rows(raw)
    return csv_rows(io.TextIOWrapper(io.BufferedReader(_Kept(raw)), "utf-8-sig", newline=""))


class _Kept(io.RawIOBase):
    """The file without its end: what reads it may close this, and the file stays open."""

    def __init__(self, raw: IO[bytes]) -> None:
        self.raw_file = raw

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes."""
        part = self.raw_file.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)


def _json_rows(raw: IO[bytes]) -> Iterator[dict[str, Any]]:
    try:
        rows = json.load(raw)
    except ValueError as fault:
        raise CommandError(f"The file is no valid JSON: {fault}.") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise CommandError("The file must hold a JSON array of objects.")
    return iter(rows)
