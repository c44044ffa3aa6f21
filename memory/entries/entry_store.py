"""store, search, retrieve and delete memories: by meaning (vectors) and by words, within what the asker may see.

Everything here is synchronous and takes ready vectors: callers embed first (embedding.py), then come with a connection.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from pgvector import HalfVector

from config.errors import NotFound
from governance.audit.audit_log import AuditRecord, append_record
from memory.entries import candidates
from memory.entries.embedding import similarity
from memory.entries.words import coverage, enough, telling
from memory.models import MemoryChunk, MemoryEntry, Owner, Visibility

MAX_PURGE = 10_000  # memories at a time
COMMON = ("type", "owner_type", "owner_id", "visibility", "metadata", "expires_at")  # to an entry and its chunks
WORDS_WORTH = 0.9  # the similarity of a text that has all telling words of the question, however it is put


class MemoryNotFound(NotFound):
    """There is no such memory, or it is not yours."""


@dataclass(frozen=True)
class Viewer:
    """Who asks, and where: it decides what is found (RULINGS §8). `end_user`: on whose behalf the user asks; of what
    it keeps for its end users it then sees that one's alone.
    """

    tenant_id: str
    user_id: UUID | None = None
    app_id: str = ""
    agent_id: str = ""
    run_id: UUID | None = None
    end_user: str = ""


@dataclass(frozen=True)
class Question:
    """What is looked for. `vector` is the text's, of this `model`; None when it has nothing to embed."""

    text: str
    vector: list[float] | None
    model: str
    owner_type: str = ""
    owner_id: str = ""
    type: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    owners: tuple[tuple[str, str], ...] = ()  # any of these (type, id); a user's only if made by who asks
    public: bool = True  # also what other tenants have made public
    limit: int = 10
    threshold: float = 0.7


def search(viewer: Viewer, question: Question) -> list[dict[str, Any]]:
    """[{memory_id, content, similarity, metadata, cosine, type, owner_type, owner_id, created_at}], the best first."""
    most = max(question.limit * 4, 40)
    cosines = candidates.by_meaning(viewer, question, most)
    wanted = telling(question.text)
    found_by_words = candidates.by_words(viewer, question, wanted, most) if wanted else []
    unknown = [entry_id for entry_id in found_by_words if entry_id not in cosines]
    if unknown and question.vector is not None:
        cosines |= candidates.cosines_of(viewer, question, unknown)
    ids = {*cosines, *found_by_words}
    rows = MemoryEntry.all_tenants.filter(pk__in=ids).filter(alive()).defer("words")
    told = [_told(row, question, wanted, cosines.get(row.pk)) for row in rows]
    told = [item for item in told if item["similarity"] >= question.threshold]
    told.sort(key=lambda item: (-item["similarity"], item["memory_id"]))
    return told[: question.limit]


def told(entry: MemoryEntry, question: Question, cosine: float | None) -> dict[str, Any]:
    """A memory that is not saved yet, as a search would tell it."""
    return _told(entry, question, telling(question.text), cosine)


def _told(entry: MemoryEntry, question: Question, wanted: list[str], cosine: float | None) -> dict[str, Any]:
    by_meaning = similarity(cosine, question.model) if cosine is not None else 0.0
    by_words = WORDS_WORTH * coverage(wanted, entry.content) ** 2 if enough(wanted) else 0.0
    return described(entry) | {
        "similarity": round(max(by_meaning, by_words), 4),
        "cosine": None if cosine is None else round(cosine, 4),
    }


def described(entry: MemoryEntry) -> dict[str, Any]:
    """A memory as tools tell of it."""
    return {
        "memory_id": str(entry.pk),
        "content": entry.content,
        "metadata": entry.metadata,
        "type": entry.type,
        "owner_type": entry.owner_type,
        "owner_id": entry.owner_id,
        "visibility": entry.visibility,
        "created_at": entry.created_at.isoformat().replace("+00:00", "Z"),
        "expires_at": entry.expires_at.isoformat().replace("+00:00", "Z") if entry.expires_at else None,
    }


def alive() -> Q:
    """Those whose time is not over."""
    return Q(expires_at=None) | Q(expires_at__gt=timezone.now())


@dataclass(frozen=True)
class NewMemory:
    """What is to be remembered; `vectors` are those of the pieces of its content, by `model`."""

    content: str
    type: str
    owner_type: str
    owner_id: str
    model: str
    vectors: list[list[float] | None]
    visibility: str = Visibility.PRIVATE
    metadata: dict[str, Any] = field(default_factory=dict)
    expires_at: datetime | None = None
    effect_key: str | None = None
    id: UUID | None = None
    agent_id: str = ""  # who remembers, for the record


def store(tenant_id: str, user_id: UUID | None, new: NewMemory) -> MemoryEntry:
    """The memory; the one that this effect key has stored before, if there is one."""
    fields = {name: getattr(new, name) for name in COMMON}
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


def forget(entry: MemoryEntry, viewer: Viewer) -> None:
    """Delete the memory."""
    id = entry.pk
    with transaction.atomic():
        entry.delete()
        entry.pk = id
        _record("memory.deleted", entry, viewer.user_id, viewer.agent_id)


def _record(action: str, entry: MemoryEntry, user_id: UUID | None, agent_id: str) -> None:
    told = {name: getattr(entry, name) for name in ("type", "owner_type", "owner_id", "visibility")}
    before, after = (None, told) if action == "memory.stored" else (told, None)
    append_record(AuditRecord(entry.tenant_id, action, "memory", str(entry.pk), user_id, "", agent_id, before, after))


def add_chunks(entry: MemoryEntry, model: str, vectors: list[list[float] | None]) -> None:
    """Add the memory's pieces with their vectors, and all that a search filters them by."""
    common = {name: getattr(entry, name) for name in ("tenant_id", "created_by", *COMMON)}
    MemoryChunk.all_tenants.bulk_create(
        MemoryChunk(entry=entry, position=at, model=model, embedding=vector and HalfVector(vector), **common)
        for at, vector in enumerate(vectors)
    )


def _for_end_user(viewer: Viewer) -> Q:
    return ~Q(owner_type=Owner.USER) | Q(owner_id=viewer.end_user) if viewer.end_user else Q()


def visible(viewer: Viewer) -> QuerySet[MemoryEntry]:
    """The memories that the asker may read: the ORM's form of finding.py's clause."""
    own = Q(tenant_id=viewer.tenant_id) & (
        ~Q(visibility=Visibility.PRIVATE)
        | Q(owner_type=Owner.TENANT)
        | (Q(created_by__isnull=False, created_by=viewer.user_id) & _for_end_user(viewer))
        | Q(owner_type=Owner.APP, owner_id=viewer.app_id or None)
        | Q(owner_type=Owner.AGENT, owner_id=viewer.agent_id or None)
        | Q(owner_type=Owner.RUN, owner_id=str(viewer.run_id) if viewer.run_id else None)
    )
    return MemoryEntry.all_tenants.filter(own | Q(visibility=Visibility.PUBLIC)).filter(alive())


def retrieve(viewer: Viewer, memory_id: str) -> MemoryEntry:
    """The memory of this id; MemoryNotFound when there is none that the asker may read."""
    try:
        found = visible(viewer).filter(pk=UUID(memory_id)).first()
    except ValueError:
        found = None
    if found is None:
        raise MemoryNotFound(f"There is no memory {memory_id[:100]!r}.", memory_id=memory_id[:100])
    return found


def listed(viewer: Viewer, owner_type: str, owner_id: str, limit: int) -> list[MemoryEntry]:
    """The owner's memories that the asker may read, the newest first."""
    rows = visible(viewer).filter(tenant_id=viewer.tenant_id, owner_type=owner_type, owner_id=owner_id)
    return list(rows.order_by("-created_at")[:limit])


def deletable(viewer: Viewer, memory_id: str, admin: bool = False) -> MemoryEntry:
    """The memory, if the asker may delete it: its owner may, and the tenant's admins; to all others it is not there."""
    entry = retrieve(viewer, memory_id)
    shared = {
        (Owner.APP, viewer.app_id),
        (Owner.AGENT, viewer.agent_id),
        (Owner.RUN, str(viewer.run_id or "")),
    }
    own = viewer.user_id is not None and entry.created_by == viewer.user_id
    own = own and (not viewer.end_user or entry.owner_type != Owner.USER or entry.owner_id == viewer.end_user)
    own = own or (bool(entry.owner_id) and (entry.owner_type, entry.owner_id) in shared)
    if entry.tenant_id != viewer.tenant_id or not (own or admin):
        raise MemoryNotFound(f"There is no memory {memory_id!r} that you may delete.", memory_id=memory_id)
    return entry


def purge_expired(most: int = MAX_PURGE) -> int:
    """How many memories were deleted because their time is over."""
    over = MemoryEntry.all_tenants.filter(expires_at__lte=timezone.now()).values("pk")[:most]
    return MemoryEntry.all_tenants.filter(pk__in=[row["pk"] for row in over]).delete()[1].get("memory.MemoryEntry", 0)
