"""Memories: store, retrieve, list, delete. Synchronous, and over ready vectors: callers embed first (embedding.py)."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from pgvector import HalfVector

from config.errors import NotFound
from config.values.json_types import JsonObject
from governance.audit.audit_log import AuditRecord, append_record
from memory.entries.visibility import Viewer, owned_by, visible_to
from memory.models import MemoryChunk, MemoryEntry, Visibility

MAX_PURGE = 10_000  # memories of one transaction
CHUNK_FIELDS = ("type", "owner_type", "owner_id", "visibility", "metadata", "expires_at")  # to an entry and its chunks


class MemoryNotFound(NotFound):
    """There is no such memory, or it is not yours."""


@dataclass(frozen=True)
class NewMemory:
    """A memory to store; `vectors` are those of the pieces of its content, by `model`."""

    content: str
    type: str
    owner_type: str
    owner_id: str
    model: str
    vectors: list[list[float] | None]
    visibility: str = Visibility.PRIVATE
    metadata: JsonObject = field(default_factory=dict)
    expires_at: datetime | None = None
    effect_key: str | None = None
    id: UUID | None = None
    agent_id: str = ""  # who remembers, for the record


def store(tenant_id: str, user_id: UUID | None, new: NewMemory) -> MemoryEntry:
    """The memory; the one that this effect key has stored before, if there is one."""
    fields = {name: getattr(new, name) for name in CHUNK_FIELDS}
    try:
        with transaction.atomic():
            entry = MemoryEntry(content=new.content, effect_key=new.effect_key, created_at=timezone.now(), **fields)
            entry.tenant_id, entry.created_by = tenant_id, user_id
            entry.id = new.id or entry.id
            entry.save(force_insert=True)
            add_chunks(entry, new.model, new.vectors)
            _record("memory.stored", entry, user_id, new.agent_id)
    except IntegrityError:
        earlier = MemoryEntry.objects.for_tenant(tenant_id).filter(effect_key=new.effect_key).first()
        if new.effect_key is None or earlier is None:
            raise
        return earlier
    return entry


def delete_entry(entry: MemoryEntry, viewer: Viewer) -> None:
    """Delete the memory."""
    id = entry.pk
    with transaction.atomic():
        entry.delete()
        entry.pk = id
        _record("memory.deleted", entry, viewer.user_id, viewer.agent_id)


def _record(action: str, entry: MemoryEntry, user_id: UUID | None, agent_id: str) -> None:
    state = {name: getattr(entry, name) for name in ("type", "owner_type", "owner_id", "visibility")}
    before, after = (None, state) if action == "memory.stored" else (state, None)
    append_record(AuditRecord(entry.tenant_id, action, "memory", str(entry.pk), user_id, "", agent_id, before, after))


def add_chunks(entry: MemoryEntry, model: str, vectors: list[list[float] | None]) -> None:
    """Add the memory's pieces with their vectors, and all that a search filters them by."""
    common = {name: getattr(entry, name) for name in ("tenant_id", "created_by", *CHUNK_FIELDS)}
    MemoryChunk.all_tenants.bulk_create(
        MemoryChunk(entry=entry, position=at, model=model, embedding=vector and HalfVector(vector), **common)
        for at, vector in enumerate(vectors)
    )


def retrieve(viewer: Viewer, memory_id: str) -> MemoryEntry:
    """The memory of this id; MemoryNotFound when there is none that the viewer may read."""
    return _find(visible_to(viewer), memory_id, "")


def list_entries(viewer: Viewer, owner_type: str, owner_id: str, limit: int) -> list[MemoryEntry]:
    """The owner's memories that the viewer may read, the newest first."""
    rows = visible_to(viewer).filter(tenant_id=viewer.tenant_id, owner_type=owner_type, owner_id=owner_id)
    return list(rows.order_by("-created_at")[:limit])


def find_deletable(viewer: Viewer, memory_id: str, admin: bool = False) -> MemoryEntry:
    """The memory, if the viewer may delete it: its owner and the tenant's admins may; else MemoryNotFound."""
    retrieve(viewer, memory_id)
    rows = visible_to(viewer).filter(tenant_id=viewer.tenant_id) if admin else owned_by(viewer)
    return _find(rows, memory_id, " that you may delete")


def _find(rows: QuerySet[MemoryEntry], memory_id: str, restriction: str) -> MemoryEntry:
    try:
        entry = rows.filter(pk=UUID(memory_id)).first()
    except ValueError:
        entry = None
    if entry is None:
        raise MemoryNotFound(f"There is no memory {memory_id[:100]!r}{restriction}.", memory_id=memory_id[:100])
    return entry


def purge_expired(limit: int = MAX_PURGE) -> int:
    """Delete memories that have expired; their number, at most the limit."""
    expired = MemoryEntry.all_tenants.filter(expires_at__lte=timezone.now()).values("pk")[:limit]
    return (
        MemoryEntry.all_tenants.filter(pk__in=[row["pk"] for row in expired]).delete()[1].get("memory.MemoryEntry", 0)
    )
