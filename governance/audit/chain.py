"""The chain of hashes over a tenant's audit log: whoever edits, removes or reorders sealed entries breaks it there.

Sealing follows the writing within seconds, so that no writer waits for another: entry by entry, each hash covers the
entry and the hash before it. verify() names the first link that does not hold.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from config.http.fields import iso
from config.values.foreign_json import write_json
from governance.audit.audit_log import COLUMNS
from governance.models import AuditEntry, AuditSeal

LOCK = 0x41554449  # of a tenant's chain
LOOK_BACK = 100_000  # entries: one that was committed late is found if it is not older than that
MAX_BATCH = 2_000  # entries of one transaction


def seal(tenant_id: str) -> int:
    """Add the tenant's pending entries, at most MAX_BATCH; their number."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK, tenant_id])
        last = AuditSeal.objects.for_tenant(tenant_id).order_by("-seq").first()
        seq, before = (last.seq, last.hash) if last else (0, "")
        seals = []
        for entry in _pending_entries(tenant_id)[:MAX_BATCH]:
            seq, before = seq + 1, digest(before, entry)
            seals.append(AuditSeal(tenant_id=tenant_id, seq=seq, entry_id=entry.pk, hash=before))
        AuditSeal.all_tenants.bulk_create(seals)
    return len(seals)


def _pending_entries(tenant_id: str) -> Any:
    newest = AuditSeal.objects.for_tenant(tenant_id).order_by("-entry_id").values_list("entry_id", flat=True).first()
    rows = AuditEntry.objects.for_tenant(tenant_id).filter(pk__gt=(newest or 0) - LOOK_BACK)
    return rows.exclude(Exists(AuditSeal.all_tenants.filter(entry_id=OuterRef("pk")))).order_by("pk")


def seal_all() -> int:
    """Add the pending entries of all tenants; their number."""
    # From the last one that was sealed, not the last that was written: a scheduler that was away leaves no gap.
    newest = AuditSeal.all_tenants.order_by("-entry_id").values_list("entry_id", flat=True).first() or 0
    rows = AuditEntry.all_tenants.filter(pk__gt=newest - LOOK_BACK, tenant_id__isnull=False)
    rows = rows.exclude(Exists(AuditSeal.all_tenants.filter(entry_id=OuterRef("pk"))))
    total = 0
    for tenant_id in rows.order_by().values_list("tenant_id", flat=True).distinct():
        while count := seal(tenant_id):
            total += count
    return total


def digest(before: str, entry: AuditEntry) -> str:
    """SHA-256 over the previous hash and all fields of the entry."""
    fields = {name: getattr(entry, name) for name in ("pk", *COLUMNS)} | {"created_at": iso(entry.created_at)}
    return hashlib.sha256(before.encode() + write_json(fields, sort_keys=True, default=str)).hexdigest()


@dataclass(frozen=True)
class Verdict:
    """The result of a check: entries sealed and not sealed yet, the last hash, and the first fault ("" for none)."""

    tenant_id: str
    sealed_count: int
    pending_count: int
    head: str
    fault: str = ""


def verify(tenant_id: str) -> Verdict:
    """Follow the tenant's chain from its start; the first link that does not hold is named."""
    before, seq = "", 0
    for seal, entry in _links(tenant_id):
        seq += 1
        if seal.seq != seq:
            return _verdict(tenant_id, seq - 1, before, f"seal {seq} is missing")
        if entry is None:
            return _verdict(tenant_id, seq - 1, before, f"entry {seal.entry_id} (seal {seq}) was removed")
        if digest(before, entry) != seal.hash:
            return _verdict(tenant_id, seq - 1, before, f"entry {entry.pk} (seal {seq}) is not what was sealed")
        before = seal.hash
    return _verdict(tenant_id, seq, before, "")


def _links(tenant_id: str) -> Iterator[tuple[AuditSeal, AuditEntry | None]]:
    seals = AuditSeal.objects.for_tenant(tenant_id).order_by("seq")
    at = 0
    while batch := list(seals.filter(seq__gt=at)[:MAX_BATCH]):
        entries = AuditEntry.objects.for_tenant(tenant_id).in_bulk([one.entry_id for one in batch])
        yield from ((one, entries.get(one.entry_id)) for one in batch)
        at = batch[-1].seq


def _verdict(tenant_id: str, sealed_count: int, head: str, fault: str) -> Verdict:
    return Verdict(tenant_id, sealed_count, _pending_entries(tenant_id).count(), head, fault)
