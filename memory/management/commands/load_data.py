"""manage.py load_data FILE: fill a table of a tenant's data store from a CSV or JSON file of any size."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from accounts.tenancy.command_arguments import find_tenants
from config.errors import DomainError
from config.values.json_types import JsonObject
from memory.datastore.names import column_name
from memory.datastore.sheets import Row, Sheet, csv_sheet, object_sheet
from memory.datastore.tables import MODES, Table, load_sheet
from memory.serializers.tables import LoadedTableSerializer

STEP = 20_000  # rows between two moves of the progress bar


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
        """Load the file, and print the table."""
        file: Path = options["file"]
        find_tenants([options["tenant"]])
        try:
            with file.open("rb") as raw:
                table = self._load(raw, file, options)
        except OSError as fault:
            raise CommandError(f"{file}: {fault.strerror}.") from None
        except DomainError as fault:
            raise CommandError(fault.message) from None
        if options["json"]:
            self.stdout.write(json.dumps(LoadedTableSerializer.render(table)))
            return
        self.stdout.write(f"{table.name}: {table.rows} rows")
        for column in table.load_report:
            self.stdout.write(f"  {column['name']} {column['type']}: {column['reason']}")
        for note in table.notes:
            self.stdout.write(f"  {note}")

    def _load(self, raw: IO[bytes], file: Path, options: JsonObject) -> Table:
        """Read the file twice: what its columns hold, then its rows."""
        name = options["table"] or column_name(file.stem)
        sheet = object_sheet(_json_rows(raw)) if file.suffix.lower() == ".json" else csv_sheet(raw)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, disable=options["json"]) as progress:
            return load_sheet(options["tenant"], name, _with_progress(sheet, raw, progress), options["mode"])


def _with_progress(sheet: Sheet, raw: IO[bytes], progress: Progress) -> Sheet:
    """The sheet, with a bar that moves along each time its rows are read."""
    size = raw.seek(0, 2)

    def rows() -> Iterator[Row]:
        bar = progress.add_task("Reading", total=size)
        for number, row in enumerate(sheet.rows()):
            if number % STEP == 0:
                progress.update(bar, completed=raw.tell())
            yield row
        progress.update(bar, completed=size)

    return replace(sheet, rows=rows)


def _json_rows(raw: IO[bytes]) -> list[JsonObject]:
    """The file's objects; numbers that would lose digits are their texts."""
    try:
        rows = json.load(raw, parse_float=_fraction, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as fault:
        raise CommandError(f"The file is no valid JSON: {fault}.") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise CommandError("The file must hold a JSON array of objects.")
    return rows


def _fraction(text: str) -> float | str:
    number = float(text)
    return number if Decimal(repr(number)) == Decimal(text) else text


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON; write null")
