"""Drafts: calls are staged, read back by their run, reviewed, applied once or discarded."""

import json
import uuid
from typing import Any

import pytest

from accounts.models import Tenant, User
from agents.models import Tool
from governance import vault
from governance.models import Policy, PolicyDecision
from memory.files import file_store
from memory.files.file_store import Writer
from memory.models import File, MemoryEntry
from orchestration.models import Change, Run, RunEvent
from tests.agents.far_end import FarEnd
from tests.factories import make_user, make_workflow, token_of
from tests.front import Front
from tests.orchestration.running import EngineThread, ended, reached, start

pytestmark = pytest.mark.usefixtures("engine", "far_end")


@pytest.fixture
def boss(acme: Tenant) -> User:
    """A developer of acme."""
    return make_user(acme, "developer")


@pytest.fixture
def token(boss: User) -> str:
    """The developer's token."""
    return token_of(boss)


@pytest.fixture
def tool(acme: Tenant, far_end: FarEnd) -> Tool:
    """A tool that writes somewhere else."""
    return Tool.all_tenants.create(
        tenant=acme, key="send", name="Send", description="x", input_schema={"type": "object"}, handler_type="http",
        handler_config={"url": far_end.url, "method": "POST"}, risk_level="high", side_effects=["external_write"],
        sealed=vault.encrypt({"headers": {}}),
    )  # fmt: skip


def node(id: str, tool_id: str, **input: Any) -> dict:
    """A tool node."""
    return {"id": id, "type": "tool", "config": {"tool_id": tool_id, "input": input}}


def run_draft(tenant: Tenant, *nodes: dict, user: User | None = None, mode: str = "draft") -> Run:
    """A finished draft run of these nodes."""
    flow = make_workflow(tenant, *nodes)
    fields = {"subject_id": str(flow.pk), "subject_version": 1, "created_by": user and user.pk}
    run = ended(start(tenant, "workflow", mode=mode, **fields))
    assert run.status == "completed", run.result
    return run


def settle(front: Front, run: Run, token: str, verb: str = "apply", *changes: Change) -> Any:
    """The answer to applying or discarding."""
    body = {"change_ids": [str(change.pk) for change in changes]} if changes else {}
    return front.post(f"/api/v1/runs/{run.pk}/{verb}", token, body)


def changes(run: Run) -> list[Change]:
    """What the run has staged."""
    return list(Change.all_tenants.filter(run_id=run.pk).order_by("position"))


def test_a_staged_call_is_answered_with_a_preview_and_listed(
    acme: Tenant, tool: Tool, far_end: FarEnd, front: Front, token: str
) -> None:
    run = run_draft(acme, node("a", "send", q=1))
    assert far_end.hits == [] and run.result["preview"] is True
    (change,) = front.request("GET", f"/api/v1/runs/{run.pk}/changes", token).json()
    assert (change["tool_id"], change["kind"], change["status"]) == ("send", "http", "staged")
    assert (change["before"], change["after"], change["target"]) == (None, {"q": 1}, f"POST {far_end.url}")
    assert "step a" in change["reason"]


def test_an_apply_lands_each_change_once_under_the_drafts_key(
    acme: Tenant, tool: Tool, far_end: FarEnd, front: Front, token: str
) -> None:
    run = run_draft(acme, node("a", "send", q=1), node("b", "send", q=2))
    answer = settle(front, run, token)
    assert (answer.status_code, answer.json()["status"]) == (200, "applied"), answer.text
    assert {change["status"] for change in answer.json()["changes"]} == {"applied"}
    assert settle(front, run, token).status_code == 200
    assert [json.loads(request.body)["q"] for request in far_end.hits] == [1, 2]
    assert far_end.hits[0].headers["idempotency-key"] == f"{run.pk}:a"
    assert RunEvent.all_tenants.filter(run_id=run.pk, kind="effect_applied").count() == 2


def test_what_fails_stays_staged_and_says_why(
    acme: Tenant, tool: Tool, far_end: FarEnd, front: Front, token: str
) -> None:
    run = run_draft(acme, node("a", "send", q=1), node("b", "send", q=2), node("c", "send", q=3))
    far_end.answer = lambda request: (422 if b"2" in request.body else 200, {}, b"{}")
    answer = settle(front, run, token)
    assert answer.status_code == 424 and "1 of 3 changes were applied" in answer.json()["message"]
    assert [change.status for change in changes(run)] == ["applied", "staged", "staged"]
    assert "422" in changes(run)[1].error
    far_end.answer = lambda _: (200, {}, b"{}")
    assert settle(front, run, token).status_code == 200
    assert [json.loads(request.body)["q"] for request in far_end.hits] == [1, 2, 2, 3]


def test_an_apply_that_a_policy_forbids_is_on_record_and_changes_nothing(
    acme: Tenant, tool: Tool, far_end: FarEnd, front: Front, token: str
) -> None:
    run = run_draft(acme, node("a", "send", q=1))
    rule = {"condition": {"action": "apply"}, "effect": "deny"}
    Policy.all_tenants.create(tenant=acme, name="never", scope="tenant", rule_expr=rule)
    refusal = settle(front, run, token)
    assert (refusal.status_code, refusal.json()["errorCode"]) == (403, "POLICY_DENIED")
    assert [change.status for change in changes(run)] == ["staged"] and far_end.hits == []
    rows = PolicyDecision.objects.for_tenant(acme).filter(action="apply")
    assert [(one.result, one.matched[0]["name"]) for one in rows] == [("denied", "never")]


@pytest.mark.parametrize("verb", ["apply", "discard"])
def test_only_known_changes_of_a_finished_run_by_who_may(
    acme: Tenant, tool: Tool, front: Front, token: str, verb: str
) -> None:
    run = run_draft(acme, node("a", "send", q=1))
    foreign = changes(run_draft(acme, node("a", "send", q=2)))[0]
    assert settle(front, run, token, verb, foreign).status_code == 400
    assert settle(front, run, token_of(make_user(acme, "user")), verb).status_code == 403
    other = Tenant.objects.create(id=uuid.uuid4().hex, name="x")
    assert settle(front, run, token_of(make_user(other, "admin")), verb).status_code == 404
    waiting = start(acme, "test.waits_long")
    assert settle(front, waiting, token, verb).status_code == 409
    assert changes(run)[0].status == "staged"


def test_a_discarded_change_is_never_applied(
    acme: Tenant, tool: Tool, far_end: FarEnd, front: Front, token: str
) -> None:
    run = run_draft(acme, node("a", "send", q=1), node("b", "send", q=2))
    assert settle(front, run, token, "discard", changes(run)[0]).json()["status"] == "discarded"
    assert settle(front, run, token).status_code == 200
    assert [json.loads(request.body)["q"] for request in far_end.hits] == [2]


@pytest.mark.parametrize("scope", ["tool", "workflow"])
def test_an_apply_may_need_a_persons_yes(
    acme: Tenant, tool: Tool, far_end: FarEnd, front: Front, token: str, engine: EngineThread, scope: str
) -> None:
    run = run_draft(acme, node("a", "send", q=1))
    rule = {"condition": {"mode": "auto", "action": "apply"}, "effect": "require_approval"}
    about = {"tool": "send", "workflow": run.subject_id}[scope]
    Policy.all_tenants.create(tenant=acme, name="p", scope=scope, scope_id=about, rule_expr=rule)
    answer = settle(front, run, token)
    assert (answer.status_code, answer.json()["status"], far_end.hits) == (200, "applying", [])
    apply = reached(Run.all_tenants.get(kind="apply"), "paused")
    body = {"approval_input": {"approved": True}}
    assert front.request("PATCH", f"/api/v1/runs/{apply.pk}/resume", token, json=body).status_code == 200
    assert ended(apply).status == "completed" and len(far_end.hits) == 1


def test_a_file_is_read_back_staged_and_applied(acme: Tenant, boss: User, front: Front, token: str) -> None:
    run = run_draft(
        acme,
        node("write", "files.write", path="notes/a.md", content="one"),
        node("again", "files.write", path="notes/a.md", content="two"),
        node("list", "files.list", prefix="notes/"),
        node("read", "files.read", path="notes/a.md"),
        user=boss,
    )
    assert run.result["content"] == "two" and not File.all_tenants.exists()
    assert [(change.before and change.before["content"], change.after["content"]) for change in changes(run)] == [
        (None, "one"),
        ("one", "two"),
    ]
    assert settle(front, run, token).status_code == 200
    file = File.all_tenants.get()
    assert (file_store.read_content(file), file.version, str(file.pk)) == (b"two", 2, run.result["file_id"])


def test_a_draft_stages_no_file_of_a_blank_name(acme: Tenant, boss: User) -> None:
    flow = make_workflow(acme, node("write", "files.write", path="docs/\u00a0", content="one"))
    run = ended(start(acme, "workflow", mode="draft", subject_id=str(flow.pk), subject_version=1, created_by=boss.pk))
    assert run.status == "failed" and "path" in run.result["error"] and changes(run) == []


def test_a_file_that_somebody_else_has_written_meanwhile_is_not_overwritten(
    acme: Tenant, boss: User, front: Front, token: str
) -> None:
    run = run_draft(acme, node("write", "files.write", path="a.md", content="one"), user=boss)
    file_store.create_file(Writer(acme.pk, boss.pk, run.pk), "a.md", b"theirs")
    answer = settle(front, run, token)
    assert answer.status_code == 409 and "a.md" in answer.json()["message"]
    assert File.all_tenants.get().version == 1


def test_a_memory_keeps_its_id_from_draft_to_store(acme: Tenant, boss: User, front: Front, token: str) -> None:
    text = "The spare key of the boathouse hangs behind the bar."
    run = run_draft(
        acme,
        node("keep", "memory.store", content=text),
        node("get", "memory.retrieve", memory_id="$steps.keep.memory_id"),
        node("find", "memory.search", query=text),
        user=boss,
    )
    assert [result["content"] for result in run.result] == [text] and not MemoryEntry.all_tenants.exists()
    assert settle(front, run, token).status_code == 200
    assert str(MemoryEntry.all_tenants.get().pk) == run.result[0]["memory_id"]


def test_a_deleted_memory_is_gone_for_the_draft_alone(acme: Tenant, boss: User, front: Front, token: str) -> None:
    text = "The pool opens at eight in the morning."
    memory_id = run_draft(acme, node("keep", "memory.store", content=text), user=boss, mode="auto").result["memory_id"]
    run = run_draft(
        acme, node("drop", "memory.delete", memory_id=memory_id), node("find", "memory.search", query=text), user=boss
    )
    assert run.result == [] and MemoryEntry.all_tenants.count() == 1
    assert changes(run)[0].before["content"] == text
    assert settle(front, run, token).status_code == 200
    assert not MemoryEntry.all_tenants.exists()


def test_changes_whose_apply_was_cancelled_can_be_applied_again(
    acme: Tenant, tool: Tool, far_end: FarEnd, front: Front, token: str
) -> None:
    run = run_draft(acme, node("a", "send", q=1))
    apply_run = start(acme, "test.waits_long")
    Change.all_tenants.filter(run_id=run.pk).update(status="applying", apply_run_id=apply_run.pk)
    assert settle(front, run, token).status_code == 409
    front.post(f"/api/v1/runs/{apply_run.pk}/cancel", token, {})
    ended(apply_run)
    assert settle(front, run, token).status_code == 200 and len(far_end.hits) == 1
