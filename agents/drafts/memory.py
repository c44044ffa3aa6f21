"""memory.store and memory.delete in a draft, and how the run's own searches see them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from agents.tools.registry import ToolCall
from memory.entries.embedding import Embedder
from memory.entries.entry_store import NewMemory
from memory.entries.query import MemoryQuery
from memory.entries.search import search_result
from memory.entries.words import pieces
from memory.models import MemoryEntry
from orchestration.models import Change
from orchestration.runs.draft_effects import StagedEffect, staged_changes

KIND = "memory"
FIELDS = ("content", "type", "owner_type", "owner_id", "visibility", "metadata")


def stored(call: ToolCall, new: NewMemory, created_at: str) -> StagedEffect:
    """A memory that is to be."""
    after = {name: getattr(new, name) for name in FIELDS} | {"created_at": created_at}
    after["expires_at"] = new.expires_at.isoformat() if new.expires_at else None
    answer = {"memory_id": str(call.effect_id), "stored_at": created_at}
    return StagedEffect(KIND, f"memory {call.effect_id}", None, after, {"memory_id": str(call.effect_id)}, answer)


def deleted(memory_id: str, before: dict[str, Any], staged_here: bool) -> StagedEffect:
    """A memory that is to go."""
    base = {"memory_id": memory_id, "must_exist": not staged_here}
    return StagedEffect(KIND, f"memory {memory_id}", before, None, base, {"deleted": True, "memory_id": memory_id})


def moved(change: Change, earlier: list[Change]) -> str:
    """Whether the memory that is to be deleted is gone already."""
    if change.after is not None or not change.base.get("must_exist"):
        return ""
    exists = MemoryEntry.objects.for_tenant(change.tenant_id).filter(pk=change.base["memory_id"]).exists()
    return "" if exists else f"The memory {change.base['memory_id']} is gone."


def changes_of(call: ToolCall) -> tuple[dict[str, Change], set[str]]:
    """({id: what is staged to be stored}, the ids of what is staged to be deleted)."""
    new: dict[str, Change] = {}
    gone: set[str] = set()
    for change in staged_changes(call.tenant_id, call.run.id, KIND):
        memory_id = change.base["memory_id"]
        if change.after is None:
            gone.add(memory_id)
            new.pop(memory_id, None)
        else:
            new[memory_id] = change
    return new, gone


def entry_of(change: Change) -> MemoryEntry:
    """A staged memory as a row that is not saved."""
    after: Any = change.after
    fields, expires = {name: after[name] for name in FIELDS}, after.get("expires_at")
    entry = MemoryEntry(id=UUID(change.base["memory_id"]), tenant_id=change.tenant_id, **fields)
    entry.created_at = datetime.fromisoformat(after["created_at"])
    entry.expires_at = datetime.fromisoformat(expires) if expires else None
    return entry


async def overlaid(
    question: MemoryQuery, found: list[dict[str, Any]], new: dict[str, Change], gone: set[str], model: Embedder
) -> list[dict[str, Any]]:
    """The search's answer as it will be when the draft is applied: the few staged memories are compared one by one."""
    told = [one for one in found if one["memory_id"] not in gone]
    for change in new.values():
        entry = entry_of(change)
        if not _asked_for(question, entry):
            continue
        vectors = [vector for vector in await model.embed(pieces(entry.content)) if vector is not None]
        cosine = max((_dot(vector, question.vector) for vector in vectors), default=None) if question.vector else None
        told.append(search_result(entry, question, cosine))
    told = [one for one in told if one["similarity"] >= question.threshold]
    return sorted(told, key=lambda one: (-one["similarity"], one["memory_id"]))[: question.limit]


def _dot(left: list[float], right: list[float]) -> float:
    return float(sum(one * other for one, other in zip(left, right, strict=True)))


def _asked_for(question: MemoryQuery, entry: MemoryEntry) -> bool:
    """Whether the question's filters let it through."""
    same = (
        not wanted or wanted == getattr(entry, name)
        for name, wanted in (
            ("owner_type", question.owner_type),
            ("owner_id", question.owner_id),
            ("type", question.type),
        )
    )
    return all(same) and all(entry.metadata.get(name) == value for name, value in question.metadata.items())
