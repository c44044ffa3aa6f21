"""A memory as tools show it."""

from config.values.json_types import JsonObject
from memory.models import MemoryEntry


def entry_json(entry: MemoryEntry) -> JsonObject:
    """Without its vectors; times are ISO 8601 in UTC."""
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
