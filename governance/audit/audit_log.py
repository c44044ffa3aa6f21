"""The audit log: who did what, appended by the transaction that did it and never changed (chain.py seals it)."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from accounts.models import Membership
from config.http import origin
from config.masking import mask
from config.values.foreign_json import write_json

MAX_STATE = 16_000  # bytes of a before or after
COLUMNS = (
    *("tenant_id", "user_id", "on_behalf_of", "agent_id", "key_id", "action", "resource_type", "resource_id", "before"),
    *("after", "ip_address", "user_agent", "trace_id"),
)
INSERT = f"INSERT INTO governance_auditentry ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"


@dataclass(frozen=True)
class AuditRecord:
    """An action and its actor; `before` and `after` are states of the resource as the API shows them."""

    tenant_id: str | None
    action: str
    resource_type: str
    resource_id: str = ""
    user_id: UUID | None = None
    on_behalf_of: str = ""
    agent_id: str = ""
    before: Any = None
    after: Any = None

    def values(self) -> list[Any]:
        """The values of INSERT, completed with the address and trace of the current request."""
        request = origin.current()
        return [
            *(self.tenant_id, self.user_id, self.on_behalf_of, self.agent_id, request.key_id, self.action),
            *(self.resource_type, self.resource_id[:255], _state(self.before), _state(self.after)),
            *(request.ip_address, request.user_agent, request.trace_id),
        ]


def append_record(append_record: AuditRecord) -> None:
    """Append the entry, within the transaction at hand if there is one."""
    with connection.cursor() as cursor:
        cursor.execute(INSERT, append_record.values())


def record_failed_login(email: str) -> None:
    """Append a failed login with this e-mail address, in the log of its tenant if it has one."""
    member = Membership.all_tenants.filter(user__email=email.strip().lower()).first()
    tenant_id, user_id = (member.tenant_id, member.user_id) if member else (None, None)
    append_record(AuditRecord(tenant_id, "failed_login", "session", "", user_id, after={"email": email}))


def _state(state: Any) -> str | None:
    """The state's JSON, secrets masked; of a long one how it begins."""
    if state is None:
        return None
    masked_state = mask(state, length=None)
    text = write_json(masked_state, default=str)
    if len(text) > MAX_STATE:
        text = orjson.dumps({"truncated": True, "begins": text[:MAX_STATE].decode(errors="ignore")})
    parts = text.split(b"\\\\")  # a backslash of a text: what follows it is no escape
    return b"\\\\".join(part.replace(b"\\u0000", b"") for part in parts).decode()
