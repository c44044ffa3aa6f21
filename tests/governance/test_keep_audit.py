"""Every operation that changes something leaves one entry, which nobody can edit without its showing."""

import io
import json
from typing import TYPE_CHECKING

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from accounts.models import Tenant
from governance.audit import audit_log
from governance.audit.chain import seal_all
from governance.models import AuditEntry, AuditSeal
from tests.factories import log_in, make_user

if TYPE_CHECKING:
    from rest_framework.test import APIClient

LOGS = "/api/v1/audit/logs"


@pytest.fixture
def admin(tenant: Tenant) -> "APIClient":
    """A client of the tenant's admin."""
    return log_in(make_user(tenant, role="admin"))


def entries(client: "APIClient", **filters: str) -> list[dict]:
    """The log's first page."""
    answer = client.get(LOGS, filters)
    assert answer.status_code == 200, answer.content
    return answer.json()["logs"]


def test_create_update_and_delete_keep_before_and_after(admin: "APIClient") -> None:
    flow = admin.post(
        "/api/v1/workflows",
        {"name": "first", "definition": {"nodes": [{"id": "a", "type": "static", "config": {"output": 1}}]}},
        format="json",
        HTTP_USER_AGENT="test/1",
    ).json()["id"]
    admin.patch(f"/api/v1/workflows/{flow}", {"name": "second"}, format="json")
    admin.delete(f"/api/v1/workflows/{flow}")
    deletion, update, creation = entries(admin, resource_id=flow)
    names = [
        (one["action"], (one["changes"]["before"] or {}).get("name"), (one["changes"]["after"] or {}).get("name"))
        for one in (creation, update, deletion)
    ]
    assert names == [("create", None, "first"), ("update", "first", "second"), ("delete", "second", None)]
    assert (creation["resource_type"], creation["user_agent"], creation["ip_address"]) == (
        "workflow",
        "test/1",
        "127.0.0.1",
    )
    assert creation["user_id"] and creation["created_at"].endswith("Z")


def test_replacing_an_agent_is_an_update(admin: "APIClient") -> None:
    for name in ("One", "Two"):
        admin.post("/api/v1/agents", {"id": "agent.audited", "name": name, "instructions": "x"}, format="json")
    update, creation = entries(admin, resource_id="agent.audited")
    assert (creation["action"], update["action"], update["changes"]["before"]["name"]) == ("create", "update", "One")


def test_what_changes_nothing_leaves_nothing(admin: "APIClient") -> None:
    before = AuditEntry.all_tenants.count()
    admin.get("/api/v1/workflows")
    admin.post("/api/v1/workflows", {"name": ""}, format="json")
    admin.delete("/api/v1/workflows/00000000-0000-0000-0000-000000000000")
    assert AuditEntry.all_tenants.count() == before


def test_sessions_are_recorded_without_their_secrets(api: "APIClient", admin: "APIClient", tenant: Tenant) -> None:
    user = make_user(tenant, email="audited@example.com")
    api.post("/api/v1/auth/login", {"email": "audited@example.com", "password": "Wrong-pass-123"}, format="json")
    api.post("/api/v1/auth/login", {"email": "nobody@example.com", "password": "Wrong-pass-123"}, format="json")
    log_in(user)
    failed = entries(admin, action="failed_login")
    assert [one["user_id"] for one in failed] == [str(user.pk)]
    assert [one["user_id"] for one in entries(admin, action="login")][:1] == [str(user.pk)]
    unknown = AuditEntry.all_tenants.get(tenant=None)
    assert unknown.after == {"email": "nobody@example.com"}
    assert "Wrong-pass" not in orjson.dumps(list(AuditEntry.all_tenants.values()), default=str).decode()


def test_codes_and_keys_that_are_shown_once_are_not_recorded(admin: "APIClient") -> None:
    code = admin.post("/api/v1/auth/invitations", {"role": "user"}, format="json").json()["code"]
    key = admin.post("/api/v1/auth/api-keys", {"name": "k", "permissions": ["read"]}, format="json").json()
    shown_once = [code, *(value for value in key.values() if len(str(value)) > 40)]
    assert len(shown_once) >= 2
    entries_text = orjson.dumps(list(AuditEntry.all_tenants.values()), default=str).decode()
    assert not [secret for secret in shown_once if secret in entries_text]


def test_entries_cannot_be_changed_or_deleted(admin: "APIClient") -> None:
    admin.post("/api/v1/auth/invitations", {"role": "user"}, format="json")
    entry = AuditEntry.all_tenants.latest("pk")
    for act in (lambda: AuditEntry.all_tenants.filter(pk=entry.pk).update(action="nothing"), entry.delete):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            act()


def verified(*tenants: str) -> str:
    """What the command says when all chains hold."""
    out = io.StringIO()
    call_command("verify_audit", *tenants, stdout=out)
    return out.getvalue()


def tamper(statement: str, *values: int) -> None:
    """What somebody with the server's own rights can do."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE governance_auditentry DISABLE TRIGGER append_only")
        cursor.execute(statement, values)
        cursor.execute("ALTER TABLE governance_auditentry ENABLE TRIGGER append_only")


@pytest.fixture
def chain(admin: "APIClient", tenant: Tenant) -> list[AuditSeal]:
    """A sealed chain of at least five entries."""
    for nth in range(5):
        admin.post("/api/v1/auth/invitations", {"role": "user", "email": f"{nth}@example.com"}, format="json")
    assert seal_all() >= 5
    assert "holds" in verified(tenant.pk)
    return list(AuditSeal.objects.for_tenant(tenant).order_by("seq"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE governance_auditentry SET action = 'nothing' WHERE id = %s",
        "UPDATE governance_auditentry SET created_at = now() - interval '1 day' WHERE id = %s",
        "DELETE FROM governance_auditentry WHERE id = %s",
    ],
)
def test_the_first_broken_link_is_named(chain: list[AuditSeal], tenant: Tenant, statement: str) -> None:
    tamper(statement, chain[2].entry_id)
    with pytest.raises(CommandError):
        verified(tenant.pk)
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("verify_audit", tenant.pk, stdout=out)
    assert f"entry {chain[2].entry_id} (seal {chain[2].seq})" in out.getvalue()


def test_entries_are_sealed_once(chain: list[AuditSeal], admin: "APIClient", tenant: Tenant) -> None:
    assert seal_all() == 0
    admin.post("/api/v1/auth/invitations", {"role": "user"}, format="json")
    assert "1 not sealed yet" in verified(tenant.pk)
    assert seal_all() == 1
    assert AuditSeal.objects.for_tenant(tenant).latest("seq").seq == chain[-1].seq + 1


def test_what_was_written_while_nobody_sealed_is_sealed_later(
    chain: list[AuditSeal], admin: "APIClient", tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("governance.audit.chain.LOOK_BACK", 2)
    for _ in range(5):
        admin.post("/api/v1/auth/invitations", {"role": "user"}, format="json")
    assert seal_all() == 5


def test_states_that_are_hard_to_keep_are_sealed_listed_and_exported(admin: "APIClient", tenant: Tenant) -> None:
    state = {"digits": 10**30, "far": 1e300, "half": "\ud83d", "nul": "a\0b", "nan": None}
    audit_log.append_record(audit_log.AuditRecord(tenant.pk, "update", "thing", "x", after=state))
    assert seal_all() >= 1 and "holds" in verified(tenant.pk)
    (entry,) = entries(admin, resource_type="thing")
    assert json.dumps(entry["changes"]["after"]["digits"]) == "1" + "0" * 30
    assert b"1" + b"0" * 30 in admin.get("/api/v1/audit/export", {"resource_type": "thing"}).content


def test_the_log_is_of_the_own_tenant(admin: "APIClient", tenant: Tenant, other_tenant: Tenant) -> None:
    admin.post("/api/v1/auth/invitations", {"role": "user"}, format="json")
    assert log_in(make_user(tenant, role="user")).get(LOGS).status_code == 403
    foreign = log_in(make_user(other_tenant, role="developer"))
    assert all(one["resource_type"] != "invitation" for one in entries(foreign))


def test_the_export_has_a_line_per_entry_the_oldest_first(admin: "APIClient") -> None:
    for _ in range(2):
        admin.post("/api/v1/auth/invitations", {"role": "user"}, format="json")
    answer = admin.get("/api/v1/audit/export", {"resource_type": "invitation"})
    lines = [orjson.loads(line) for line in answer.content.splitlines()]
    assert [one["action"] for one in lines] == ["create", "create"]
    assert int(lines[0]["id"]) < int(lines[1]["id"])


@pytest.mark.parametrize("query", [{"user_id": "x"}, {"start_date": "yesterday"}, {"end_date": "2024-13-01"}])
def test_filters_that_cannot_be_are_named(admin: "APIClient", query: dict) -> None:
    answer = admin.get(LOGS, query)
    assert answer.status_code == 400
    assert list(answer.json()["context"]["errors"]) == list(query)
