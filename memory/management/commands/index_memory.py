"""manage.py index_memory: make the indexes that tenants with very many memories need, at once."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.values.plurals import quantity
from memory.entries import indexes


class Command(BaseCommand):
    """Others read and write meanwhile."""

    help = "Make the HNSW indexes of tenants that have grown to need one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """From how many chunks on."""
        parser.add_argument(
            "--least", type=int, default=indexes.MIN_INDEXED_CHUNKS, help="Chunks that a tenant must have."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Build, one after the other."""
        if options["least"] < 1:
            raise CommandError("--least must be 1 or more.")
        with indexes.build_lock() as mine:
            if not mine:
                self.stdout.write("Another process is building indexes; nothing to do.")
                return
            due = indexes.missing_indexes(options["least"])
            for key, model, dimension in due:
                self.stdout.write(f"{'all tenants' if key == indexes.PUBLIC else key}: {model} …")
                self.stdout.write(f"  {indexes.build_index(key, model, dimension)}")
        self.stdout.write(f"{quantity(len(due), 'index', 'indexes')} made.")
