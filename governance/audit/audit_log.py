"""The record of who did what: appended, never changed, each entry sealed into its tenant's chain of hashes.

Entries are written by the transaction that writes what they tell of. Sealing follows within seconds, so that no writer
waits for another: entry by entry, each hash covers the entry and the hash before it. Whoever edits, removes or reorders
sealed entries breaks the chain at that place; verify() names it.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from accounts.models import Membership
from config.http import origin
from config.http.fields import iso
from config.masking import mask
from config.values.foreign_json import write_json
from governance.models import AuditEntry, AuditSeal

LOCK = 0x41554449  # of a tenant's chain
LOOK_BACK = 100_000  # entries: one that was committed late is found if it is not older than that
SEALED_AT_ONCE = 2_000
MAX_STATE = 16_000  # bytes of a before or after
COLUMNS = (
    *("tenant_id", "user_id", "on_behalf_of", "agent_id", "key_id", "action", "resource_type", "resource_id", "before"),
    *("after", "ip_address", "user_agent", "trace_id"),
)
INSERT = f"INSERT INTO governance_auditentry ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"


@dataclass(frozen=True)
class Deed:
    """One thing that was done. `before` and `after` are states of the resource as the API tells them."""

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
        """The values of INSERT, in the words of the request at hand."""
        came = origin.current()
        return [
            *(self.tenant_id, self.user_id, self.on_behalf_of, self.agent_id, came.key_id, self.action),
            *(self.resource_type, self.resource_id[:255], _state(self.before), _state(self.after)),
            *(came.ip_address, came.user_agent, came.trace_id),
        ]


def record(deed: Deed) -> None:
    """Append the entry, within the transaction at hand if there is one."""
    with connection.cursor() as cursor:
        cursor.execute(INSERT, deed.values())


def record_failed_login(tried: str) -> None:
    """Append that somebody has tried to log in as this e-mail address, in the log of its tenant if it is known."""
    member = Membership.all_tenants.filter(user__email=tried.strip().lower()).first()
    tenant_id, user_id = (member.tenant_id, member.user_id) if member else (None, None)
    record(Deed(tenant_id, "failed_login", "session", "", user_id, after={"email": tried}))


def _state(state: Any) -> str | None:
    """The state's JSON, secrets masked; of a long one how it begins."""
    if state is None:
        return None
    masked = mask(state, length=None)
    text = write_json(masked, default=str)
    if len(text) > MAX_STATE:
        text = orjson.dumps({"truncated": True, "begins": text[:MAX_STATE].decode(errors="ignore")})
    parts = text.split(b"\\\\")  # a backslash of a text: what follows it is no escape
    return b"\\\\".join(part.replace(b"\\u0000", b"") for part in parts).decode()


# ---- the chain


def seal(tenant_id: str) -> int:
    """How many entries were added to the tenant's chain."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK, tenant_id])
        last = AuditSeal.objects.for_tenant(tenant_id).order_by("-seq").first()
        seq, before = (last.seq, last.hash) if last else (0, "")
        seals = []
        for entry in _unsealed(tenant_id)[:SEALED_AT_ONCE]:
            seq, before = seq + 1, digest(before, entry)
            seals.append(AuditSeal(tenant_id=tenant_id, seq=seq, entry_id=entry.pk, hash=before))
        AuditSeal.all_tenants.bulk_create(seals)
    return len(seals)


def _unsealed(tenant_id: str) -> Any:
    newest = AuditSeal.objects.for_tenant(tenant_id).order_by("-entry_id").values_list("entry_id", flat=True).first()
    rows = AuditEntry.objects.for_tenant(tenant_id).filter(pk__gt=(newest or 0) - LOOK_BACK)
    return rows.exclude(Exists(AuditSeal.all_tenants.filter(entry_id=OuterRef("pk")))).order_by("pk")


def seal_all() -> int:
    """How many entries of all tenants were sealed."""
    # From the last one that was sealed, not the last that was written: a scheduler that was away leaves no gap.
    newest = AuditSeal.all_tenants.order_by("-entry_id").values_list("entry_id", flat=True).first() or 0
    rows = AuditEntry.all_tenants.filter(pk__gt=newest - LOOK_BACK, tenant_id__isnull=False)
    rows = rows.exclude(Exists(AuditSeal.all_tenants.filter(entry_id=OuterRef("pk"))))
    sealed = 0
    for tenant_id in rows.order_by().values_list("tenant_id", flat=True).distinct():
        while count := seal(tenant_id):
            sealed += count
    return sealed


def digest(before: str, entry: AuditEntry) -> str:
    """SHA-256 over the hash before and all that the entry says."""
    told = {name: getattr(entry, name) for name in ("pk", *COLUMNS)} | {"created_at": iso(entry.created_at)}
    return hashlib.sha256(before.encode() + write_json(told, sort_keys=True, default=str)).hexdigest()


@dataclass(frozen=True)
class Verdict:
    """What a check of a chain found; `broken` says where and how, "" when it holds."""

    tenant_id: str
    sealed: int
    unsealed: int
    head: str
    broken: str = ""


def verify(tenant_id: str) -> Verdict:
    """Follow the tenant's chain from its start; the first link that does not hold is named."""
    before, seq = "", 0
    for found, entry in _links(tenant_id):
        seq += 1
        if found.seq != seq:
            return _verdict(tenant_id, seq - 1, before, f"seal {seq} is missing")
        if entry is None:
            return _verdict(tenant_id, seq - 1, before, f"entry {found.entry_id} (seal {seq}) was removed")
        if digest(before, entry) != found.hash:
            return _verdict(tenant_id, seq - 1, before, f"entry {entry.pk} (seal {seq}) is not what was sealed")
        before = found.hash
    return _verdict(tenant_id, seq, before, "")


def _links(tenant_id: str) -> Iterator[tuple[AuditSeal, AuditEntry | None]]:
    seals = AuditSeal.objects.for_tenant(tenant_id).order_by("seq")
    at = 0
    while batch := list(seals.filter(seq__gt=at)[:SEALED_AT_ONCE]):
        entries = AuditEntry.objects.for_tenant(tenant_id).in_bulk([one.entry_id for one in batch])
        yield from ((one, entries.get(one.entry_id)) for one in batch)
        at = batch[-1].seq


def _verdict(tenant_id: str, sealed: int, head: str, broken: str) -> Verdict:
    return Verdict(tenant_id, sealed, _unsealed(tenant_id).count(), head, broken)
