"""memory.store, memory.search, memory.retrieve, memory.delete (seed 000 §8)."""

from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from django.utils import timezone

from accounts.models import Membership, Role
from agents.loop.recall import viewer_of
from agents.tools.canonical import canonical, uuid_form
from agents.tools.registry import Staging, ToolCall, tool
from agents.tools.staging.memory import conflict, entry_of, merge_staged, stage_delete, stage_store, staged_memories
from config.errors import Forbidden, Invalid
from config.http.fields import iso
from config.values.json_types import JsonObject
from memory.entries import entry_store
from memory.entries.embedding import embedder
from memory.entries.entry_json import entry_json
from memory.entries.entry_store import MemoryNotFound, NewMemory
from memory.entries.query import MemoryQuery
from memory.entries.search import search_memories
from memory.entries.visibility import Viewer
from memory.entries.words import pieces
from memory.models import MemoryEntry, MemoryType, Owner, Visibility
from orchestration.runs.draft_effects import StagedEffect

MAX_CONTENT = 200_000
OWNER: JsonObject = {
    "owner_type": {"type": "string", "enum": list(Owner.values), "description": "Whose memory it is."},
    "owner_id": {"type": "string", "maxLength": 128, "description": "The owner's id; without one your own."},
}
METADATA = {"type": "object", "description": "Anything to filter by later."}
STORE = {
    "type": "object",
    "properties": {
        "content": {"type": "string", "minLength": 1, "maxLength": MAX_CONTENT, "description": "What to remember."},
        "type": {"type": "string", "enum": list(MemoryType.values), "default": "long_term"},
        **OWNER,
        "visibility": {"type": "string", "enum": list(Visibility.values), "default": "private"},
        "metadata": METADATA,
        "ttl": {"type": "string", "description": "When to forget it: an ISO 8601 date-time."},
    },
    "required": ["content"],
}
SEARCH = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "minLength": 1, "maxLength": 10_000, "description": "What to look for."},
        **OWNER,
        "type": {"type": "string", "enum": list(MemoryType.values)},
        "metadata": METADATA | {"description": "What the memory's metadata must contain."},
        "limit": {"type": "integer", "minimum": 1, "default": 10, "description": "At most 50."},
        "threshold": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.7},
    },
    "required": ["query"],
}
RETRIEVE = {
    "type": "object",
    "properties": {
        "memory_id": {"type": "string", "description": "One memory; without it those of an owner, the newest first."},
        **OWNER,
        "limit": {"type": "integer", "minimum": 1, "default": 50, "description": "At most 100."},
    },
}
DELETE = {"type": "object", "properties": {"memory_id": {"type": "string"}}, "required": ["memory_id"]}


def viewer(call: ToolCall) -> Viewer:
    """The caller, as a reader of memories."""
    return viewer_of(call.run, call.agent_id)


def owner(call: ToolCall) -> tuple[str, str]:
    """(type, id) of the owner that the call names; nobody stores for another user, tenant, app, agent or run.

    An end user on whose behalf the call is made is none of ours: its id is what the caller calls it.
    """
    run, owner_id = call.run, call.input.get("owner_id") or ""
    kind = call.input.get("owner_type") or Owner.TENANT
    mine = {
        Owner.USER: [run.on_behalf_of or str(run.created_by or "")],
        Owner.TENANT: [run.tenant_id],
        Owner.APP: [run.app_id],
        Owner.AGENT: [call.agent_id],
        Owner.RUN: [str(run.id)],
    }[Owner(kind)]
    owner_ids = [id for id in mine if id]
    if kind == Owner.AGENT and run.kind == "workflow" and not call.agent_id and owner_id:
        owner_ids = [owner_id]  # a developer's workflow writes what one of the tenant's agents is to know
    if not owner_ids:
        raise Invalid({"owner_type": [f"This call is not made by {'an' if kind[0] in 'au' else 'a'} {kind}."]})
    if owner_id and owner_id not in owner_ids:
        raise Forbidden(f"owner_id: memories are stored for the caller's own {kind} only; leave owner_id out.")
    return kind, owner_id or owner_ids[0]


async def _new(call: ToolCall) -> NewMemory:
    """The memory that a call of memory.store makes."""
    arguments, model = call.input, embedder()
    kind, id = owner(call)
    return NewMemory(
        content=arguments["content"],
        type=arguments.get("type", MemoryType.LONG_TERM),
        owner_type=kind,
        owner_id=id,
        model=model.model,
        vectors=await model.embed(pieces(arguments["content"])),
        visibility=arguments.get("visibility", Visibility.PRIVATE),
        metadata=arguments.get("metadata") or {},
        expires_at=_moment(arguments.get("ttl")),
        effect_key=call.key,
        id=call.effect_id,
        agent_id=call.agent_id,
    )


async def _stage_store(call: ToolCall) -> StagedEffect:
    return stage_store(call, await _new(call), iso(timezone.now()) or "")


@tool(
    "memory.store",
    "Store Memory",
    "Remembers a text, to be found again by its meaning.",
    STORE,
    side_effects=("memory_write",),
    remembers=True,
    staging=Staging(_stage_store),
)
async def store(call: ToolCall) -> JsonObject:
    """{memory_id, stored_at}."""
    new = await _new(call)
    entry = await call.database(partial(entry_store.store, call.tenant_id, viewer(call).user_id, new))
    return {"memory_id": str(entry.pk), "stored_at": iso(entry.created_at)}


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid({"ttl": ["Must be an ISO 8601 date-time, such as 2026-12-31T23:59:59Z."]}) from None


@tool(
    "memory.search",
    "Search Memory",
    "Finds what is remembered about a subject, by meaning and by words.",
    SEARCH,
    side_effects=("memory_read",),
)
async def search(call: ToolCall) -> list[JsonObject]:
    """[{memory_id, content, similarity, metadata, …}], the best first."""
    arguments, model = call.input, embedder()
    (vector,) = await model.embed([arguments["query"]])
    question = MemoryQuery(
        text=arguments["query"],
        vector=vector,
        model=model.model,
        owner_type=arguments.get("owner_type") or "",
        owner_id=arguments.get("owner_id") or "",
        type=arguments.get("type") or "",
        metadata=arguments.get("metadata") or {},
        limit=min(arguments.get("limit", 10), 50),
        threshold=arguments.get("threshold", 0.7),
    )
    rows: list[JsonObject] = await call.database(partial(search_memories, viewer(call), question))
    if call.mode == "draft":
        memories = await call.database(partial(staged_memories, call))
        return await merge_staged(question, rows, memories, model)
    return rows


@tool(
    "memory.retrieve",
    "Retrieve Memory",
    "Reads one memory by its id.",
    RETRIEVE,
    side_effects=("memory_read",),
    canonical=canonical(memory_id=uuid_form),
)
async def retrieve(call: ToolCall) -> JsonObject:
    """The memory; without an id {memories} of the owner."""
    arguments = call.input
    if memory_id := arguments.get("memory_id"):
        if call.mode == "draft":
            memories = await call.database(partial(staged_memories, call))
            if memory_id in memories.stores:
                return entry_json(entry_of(memories.stores[memory_id]))
            if memory_id in memories.deleted_ids:
                raise MemoryNotFound(f"There is no memory {memory_id[:100]!r}.", memory_id=memory_id[:100])
        return entry_json(await call.database(partial(entry_store.retrieve, viewer(call), memory_id)))
    kind, id = owner(call)
    limit = min(arguments.get("limit", 50), 100)
    rows = await call.database(partial(entry_store.list_entries, viewer(call), kind, id, limit))
    return {"memories": [entry_json(row) for row in rows]}


async def _stage_delete(call: ToolCall) -> StagedEffect:
    memory_id = call.input["memory_id"]
    memories = await call.database(partial(staged_memories, call))
    if memory_id in memories.stores:
        return stage_delete(memory_id, memories.stores[memory_id].after, must_exist=False)
    if memory_id in memories.deleted_ids:
        raise MemoryNotFound(f"There is no memory {memory_id[:100]!r}.", memory_id=memory_id[:100])
    entry = await call.database(partial(_deletable, viewer(call), memory_id))
    return stage_delete(memory_id, entry_json(entry), must_exist=True)


@tool(
    "memory.delete",
    "Delete Memory",
    "Forgets a memory of your own.",
    DELETE,
    side_effects=("memory_write",),
    remembers=True,
    canonical=canonical(memory_id=uuid_form),
    staging=Staging(_stage_delete, conflict),
)
async def delete(call: ToolCall) -> JsonObject:
    """{deleted: true, memory_id}."""
    memory_id = call.input["memory_id"]
    await call.database(lambda: entry_store.delete_entry(_deletable(viewer(call), memory_id), viewer(call)))
    return {"deleted": True, "memory_id": memory_id}


def _deletable(reader: Viewer, memory_id: str) -> MemoryEntry:
    return entry_store.find_deletable(reader, memory_id, admin=_is_admin(reader.tenant_id, reader.user_id))


def _is_admin(tenant_id: str, user_id: UUID | None) -> bool:
    rows = Membership.objects.for_tenant(tenant_id)
    return rows.filter(user_id=user_id, role=Role.ADMIN).exists()
