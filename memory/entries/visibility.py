"""Who sees which memory (RULINGS §8). The rule itself is two SQL functions: memory/migrations/0005_visibility.py."""

from dataclasses import dataclass
from uuid import UUID

import orjson
from django.db.models import BooleanField, Func, JSONField, QuerySet, Value

from memory.models import MemoryEntry


@dataclass(frozen=True)
class Viewer:
    """Who reads, and where. `end_user`: on whose behalf the user reads; of the memories that the user keeps for end
    users, it then sees that one's alone.
    """

    tenant_id: str
    user_id: UUID | None = None
    app_id: str = ""
    agent_id: str = ""
    run_id: UUID | None = None
    end_user: str = ""

    def json(self) -> dict[str, str | None]:
        """The viewer as the SQL functions take it."""
        return {
            "tenant": self.tenant_id,
            "user": str(self.user_id) if self.user_id else None,
            "end_user": self.end_user,
            "app": self.app_id,
            "agent": self.agent_id,
            "run": str(self.run_id or ""),
        }

    def json_text(self) -> str:
        """The same as JSON text, for statements in .sql files."""
        return orjson.dumps(self.json()).decode()


def visible_to(viewer: Viewer) -> QuerySet[MemoryEntry]:
    """The memories that the viewer may read, of all tenants."""
    columns = ("tenant_id", "visibility", "owner_type", "owner_id", "created_by", "expires_at")
    return MemoryEntry.all_tenants.filter(_condition("memory_is_visible", columns, viewer))


def owned_by(viewer: Viewer) -> QuerySet[MemoryEntry]:
    """The memories of the viewer's tenant that are the user's, the app's, the agent's or the run's own."""
    condition = _condition("memory_is_own", ("owner_type", "owner_id", "created_by"), viewer)
    return visible_to(viewer).filter(condition, tenant_id=viewer.tenant_id)


def _condition(function: str, columns: tuple[str, ...], viewer: Viewer) -> Func:
    value = Value(viewer.json(), output_field=JSONField())
    return Func(*columns, value, function=function, output_field=BooleanField())
