"""manage.py reembed: give all memories vectors of the embedding model that is set now.

It may be stopped and run again.
"""

import asyncio
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from accounts.tenancy.command_arguments import find_tenants
from config.errors import DomainError
from config.values.plurals import quantity
from memory.entries import indexes
from memory.entries.embedding import embedder
from memory.entries.entry_store import add_chunks
from memory.entries.words import pieces
from memory.models import MemoryChunk, MemoryEntry
from orchestration.program.retry import Transient

BATCH = 200


class Command(BaseCommand):
    """Memory by memory, each in one transaction; searches find each as soon as it has its new vectors."""

    help = "Embed all memories again with EMBEDDING_MODEL (the static embeddings when it is not set)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which memories."""
        parser.add_argument("--tenant", help="Only this tenant's.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Embed, index, drop the indexes of other models."""
        model = embedder()
        stale = MemoryChunk.all_tenants.exclude(model=model.model).order_by()
        if options["tenant"] is not None:
            stale = stale.filter(tenant__in=find_tenants([options["tenant"]]))
        old = set(stale.values_list("model", flat=True).distinct())
        total = stale.values("entry_id").distinct().count()
        try:
            count = self._embed_all(stale, model, total)
        except (DomainError, Transient) as fault:
            raise CommandError(f"{fault} What was embedded stays so; run this again for the rest.") from None
        for key, name, dimension in indexes.missing_indexes():
            self.stdout.write(f"Indexing {name} …")
            indexes.build_index(key, name, dimension)
        for name in old if not options["tenant"] else ():
            indexes.drop_indexes(name)
        self.stdout.write(f"{quantity(count, 'memory has', 'memories have')} vectors of {model.model}.")

    def _embed_all(self, stale: Any, model: Any, total: int) -> int:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        count = 0
        with Progress(*columns) as progress:
            bar = progress.add_task(f"Embedding with {model.model}", total=total)
            while ids := list(stale.values_list("entry_id", flat=True).distinct()[:BATCH]):
                for entry in MemoryEntry.all_tenants.filter(pk__in=ids):
                    embed_again(entry, model)
                count += len(ids)
                progress.update(bar, completed=count)
        return count


def embed_again(entry: MemoryEntry, model: Any) -> None:
    """Replace the memory's chunks."""
    vectors = asyncio.run(model.embed(pieces(entry.content)))
    with transaction.atomic():
        MemoryChunk.objects.for_tenant(entry.tenant_id).filter(entry=entry).delete()
        add_chunks(entry, model.model, vectors)
