"""manage.py plugins: the installed plug-ins, and what each of them registered."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand
from rich.console import Console
from rich.table import Table

from config.plugins.loader import PLUGINS, Plugin


class Command(BaseCommand):
    """Exit code 0: all plug-ins can be used; 1: one cannot, so that no other process starts."""

    help = "Show the installed plug-ins and what each of them registered; exit code 1 when one cannot be used."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The form of the output."""
        parser.add_argument(
            "--json", action="store_true", help="A list of {name, package, version, module, entries, faults}."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Show them."""
        if options["json"]:
            self.stdout.write(json.dumps([asdict(plugin) for plugin in PLUGINS], indent=2))
        elif PLUGINS:
            console = Console(file=self.stdout, highlight=False)  # type: ignore[arg-type]
            console.print(_table(PLUGINS))
        else:
            self.stdout.write("No plug-ins are installed (docs/plugins.md says how to write one).")
        if any(plugin.faults for plugin in PLUGINS):
            raise SystemExit(1)


def _table(plugins: list[Plugin]) -> Table:
    table = Table("name", "version", "package", "registered")
    for plugin in plugins:
        lines = [f"{sort}: {', '.join(names)}" for sort, names in plugin.entries.items()]
        lines += [f"[red]cannot be used: {fault}[/red]" for fault in plugin.faults]
        table.add_row(plugin.name, plugin.version, plugin.package, "\n".join(lines))
    return table
