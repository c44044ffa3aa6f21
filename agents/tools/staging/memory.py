"""memory.store and memory.delete in a draft, and how the searches of the same run see the staged memories."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from agents.tools.registry import ToolCall
from config.values.json_types import JsonObject
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
FILTERS = ("owner_type", "owner_id", "type")


@dataclass
class StagedMemories:
    """The staged changes that store a memory, by its id, and the ids of memories whose deletion is staged."""

    stores: dict[str, Change] = field(default_factory=dict)
    deleted_ids: set[str] = field(default_factory=set)


def stage_store(call: ToolCall, new: NewMemory, created_at: str) -> StagedEffect:
    """The effect of memory.store."""
    after = {name: getattr(new, name) for name in FIELDS} | {"created_at": created_at}
    after["expires_at"] = new.expires_at.isoformat() if new.expires_at else None
    answer = {"memory_id": str(call.effect_id), "stored_at": created_at}
    return StagedEffect(KIND, f"memory {call.effect_id}", None, after, {"memory_id": str(call.effect_id)}, answer)


def stage_delete(memory_id: str, before: JsonObject, *, must_exist: bool) -> StagedEffect:
    """The effect of memory.delete; `must_exist`: the memory is not one that the same draft has staged."""
    base = {"memory_id": memory_id, "must_exist": must_exist}
    return StagedEffect(KIND, f"memory {memory_id}", before, None, base, {"deleted": True, "memory_id": memory_id})


def conflict(change: Change, earlier: list[Change]) -> str:
    """The sentence that the memory to delete does not exist any more; "" when it does."""
    if change.after is not None or not change.base.get("must_exist"):
        return ""
    exists = MemoryEntry.objects.for_tenant(change.tenant_id).filter(pk=change.base["memory_id"]).exists()
    return "" if exists else f"The memory {change.base['memory_id']} is gone."


def staged_memories(call: ToolCall) -> StagedMemories:
    """What the run has staged, later changes over earlier ones."""
    memories = StagedMemories()
    for change in staged_changes(call.tenant_id, call.run.id, KIND):
        memory_id = change.base["memory_id"]
        if change.after is None:
            memories.deleted_ids.add(memory_id)
            memories.stores.pop(memory_id, None)
        else:
            memories.stores[memory_id] = change
    return memories


def entry_of(change: Change) -> MemoryEntry:
    """A staged memory as a row that is not saved."""
    after: JsonObject = change.after
    values, expires_at = {name: after[name] for name in FIELDS}, after.get("expires_at")
    entry = MemoryEntry(id=UUID(change.base["memory_id"]), tenant_id=change.tenant_id, **values)
    entry.created_at = datetime.fromisoformat(after["created_at"])
    entry.expires_at = datetime.fromisoformat(expires_at) if expires_at else None
    return entry


async def merge_staged(
    query: MemoryQuery, results: list[JsonObject], memories: StagedMemories, model: Embedder
) -> list[JsonObject]:
    """The search's results as they will be once the draft is applied: its few memories are compared one by one."""
    rows = [result for result in results if result["memory_id"] not in memories.deleted_ids]
    for change in memories.stores.values():
        entry = entry_of(change)
        if _fits_filters(query, entry):
            rows.append(search_result(entry, query, await _cosine(query, entry, model)))
    rows = [result for result in rows if result["similarity"] >= query.threshold]
    return sorted(rows, key=lambda result: (-result["similarity"], result["memory_id"]))[: query.limit]


async def _cosine(query: MemoryQuery, entry: MemoryEntry, model: Embedder) -> float | None:
    """The similarity of the entry's best piece to the query; None when either has no vector."""
    if not query.vector:
        return None
    vectors = [vector for vector in await model.embed(pieces(entry.content)) if vector is not None]
    return max((_dot(vector, query.vector) for vector in vectors), default=None)


def _dot(a: list[float], b: list[float]) -> float:
    return float(sum(x * y for x, y in zip(a, b, strict=True)))


def _fits_filters(query: MemoryQuery, entry: MemoryEntry) -> bool:
    filters = [(name, getattr(query, name)) for name in FILTERS]
    fits = all(not value or value == getattr(entry, name) for name, value in filters)
    return fits and all(entry.metadata.get(name) == value for name, value in query.metadata.items())
