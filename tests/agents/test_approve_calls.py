"""Approvals bound to the exact call: single use, edited, refused, given by the right person, once."""

import json
import threading
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from accounts.models import Tenant, User
from agents.models import Tool
from governance import vault
from governance.models import Policy
from orchestration.models import Approval, Run, RunEvent
from tests.agents.far_end import FarEnd
from tests.factories import log_in, make_user, make_workflow
from tests.orchestration.running import ended, kinds, reached, start

if TYPE_CHECKING:
    from rest_framework.test import APIClient

pytestmark = pytest.mark.usefixtures("engine", "far_end")
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.fixture
def tool(acme: Tenant, far_end: FarEnd) -> Tool:
    """A tool that calls out, under a policy that wants a yes for n above 5 and denies it above 100."""
    made = Tool.all_tenants.create(
        tenant=acme, key="pay", name="Pay", description="x", input_schema=SCHEMA, handler_type="http",
        handler_config={"url": far_end.url, "method": "POST"}, risk_level="high", side_effects=["money"],
        sealed=vault.encrypt({"headers": {}}),
    )  # fmt: skip
    policy(acme, "require_approval", {"input.n": {"greater_than": 5}})
    policy(acme, "deny", {"input.n": {"greater_than": 100}}, priority=1)
    return made


def policy(tenant: Tenant, effect: str, condition: dict, approval: dict | None = None, **fields: Any) -> Policy:
    """A policy of the tool."""
    rule = {"condition": condition, "effect": effect} | ({"approval": approval} if approval else {})
    return Policy.all_tenants.create(tenant=tenant, name=effect, scope="tool", scope_id="pay", rule_expr=rule, **fields)


def run_of(tenant: Tenant, n: int, user: User | None = None) -> Run:
    """A run that calls the tool with n."""
    flow = make_workflow(tenant, {"id": "pay", "type": "tool", "config": {"tool_id": "pay", "input": {"n": n}}})
    return start(tenant, "workflow", subject_id=str(flow.pk), subject_version=1, created_by=user and user.pk)


def asked(run: Run) -> Approval:
    """The run's question, once it is paused."""
    reached(run, "paused")
    return Approval.all_tenants.get(run_id=run.pk)


def decide(api: "APIClient", approval: Approval, approved: bool = True, **more: Any) -> Any:
    """The answer to a decision."""
    return api.post(f"/api/v1/approvals/{approval.pk}/decide", {"approved": approved, **more}, format="json")


@pytest.fixture
def boss(acme: Tenant) -> "APIClient":
    """A developer of acme."""
    return log_in(make_user(acme, "developer"))


def test_what_needs_no_yes_acts_at_once(acme: Tenant, tool: Tool, far_end: FarEnd) -> None:
    assert ended(run_of(acme, 3)).status == "completed"
    assert len(far_end.hits) == 1


def test_an_approved_call_is_made_once_and_told_three_times(
    acme: Tenant, tool: Tool, far_end: FarEnd, boss: "APIClient"
) -> None:
    run = run_of(acme, 7)
    question = asked(run)
    assert far_end.hits == [] and (question.kind, question.arguments) == ("tool_call", {"n": 7})
    told = decide(boss, question, comment="fine").json()
    assert (told["status"], told["approved_arguments"]) == ("approved", {"n": 7})
    assert ended(run).status == "completed" and len(far_end.hits) == 1
    question.refresh_from_db()
    assert question.decided_at and question.executed_at and question.created_at
    middle = ["approval_requested", "run_paused", "approval_decided", "run_resumed", "tool_call"]
    assert [kind for kind in kinds(run) if kind in middle] == middle
    assert kinds(run).count("policy_eval") == 1


def test_an_edited_call_is_made_instead(acme: Tenant, tool: Tool, far_end: FarEnd, boss: "APIClient") -> None:
    run = run_of(acme, 50)
    question = asked(run)
    wrong = decide(boss, question, arguments={"n": "much"})
    assert wrong.status_code == 400 and "n" in wrong.json()["context"]["errors"]
    assert decide(boss, question, arguments={"n": 6}).status_code == 200
    assert ended(run).status == "completed"
    assert [json.loads(hit.body) for hit in far_end.hits] == [{"n": 6}]


def test_an_edited_call_is_judged_anew(acme: Tenant, tool: Tool, far_end: FarEnd, boss: "APIClient") -> None:
    run = run_of(acme, 50)
    assert decide(boss, asked(run), arguments={"n": 500}).status_code == 200
    run = ended(run)
    assert (run.status, run.failure_reason, far_end.hits) == ("failed", "policy_denied", [])


def test_a_no_ends_the_run_and_nothing_acts(acme: Tenant, tool: Tool, far_end: FarEnd, boss: "APIClient") -> None:
    run = run_of(acme, 7)
    assert decide(boss, asked(run), approved=False, comment="too risky").status_code == 200
    run = ended(run)
    assert (run.status, run.result) == ("cancelled", {"rejected": True, "comment": "too risky"})
    assert far_end.hits == []


def test_a_decision_is_made_once(acme: Tenant, tool: Tool, far_end: FarEnd, boss: "APIClient") -> None:
    run = run_of(acme, 7)
    question, statuses = asked(run), []
    both = [threading.Thread(target=lambda: statuses.append(decide(boss, question).status_code)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(statuses) == [200, 409]
    ended(run)
    assert len(far_end.hits) == 1


def test_who_started_the_run_may_not_approve_where_four_eyes_are_wanted(
    acme: Tenant, tool: Tool, boss: "APIClient"
) -> None:
    policy(acme, "require_approval", {}, {"four_eyes": True, "role": "admin"}, priority=0)
    starter = make_user(acme, "admin")
    question = asked(run_of(acme, 7, starter))
    assert decide(boss, question).status_code == 403  # the role
    refused = decide(log_in(starter), question)
    assert refused.status_code == 403 and "second person" in refused.json()["message"]
    assert decide(log_in(make_user(acme, "admin")), question).status_code == 200


def test_another_tenants_approval_is_not_found(acme: Tenant, tool: Tool) -> None:
    question = asked(run_of(acme, 7))
    stranger = log_in(make_user(Tenant.objects.create(id=uuid.uuid4().hex, name="x"), "admin"))
    assert decide(stranger, question).status_code == 404
    assert stranger.get("/api/v1/approvals?filter=all").json()["data"] == []


def test_approvals_are_listed_by_what_waits_and_whose_they_are(acme: Tenant, tool: Tool, boss: "APIClient") -> None:
    starter = make_user(acme, "user")
    run = run_of(acme, 7, starter)
    question = asked(run)

    def listed(api: "APIClient", which: str) -> list[str]:
        return [row["id"] for row in api.get(f"/api/v1/approvals?filter={which}").json()["data"]]

    assert listed(boss, "pending") == listed(boss, "all") == [str(question.pk)]
    assert (listed(boss, "mine"), listed(log_in(starter), "mine")) == ([], [str(question.pk)])
    assert decide(log_in(starter), question).status_code == 403
    decide(boss, question, approved=False)
    assert (listed(boss, "pending"), listed(boss, "all")) == ([], [str(question.pk)])


def test_a_question_that_nobody_answers_ends_the_run(acme: Tenant, tool: Tool, far_end: FarEnd) -> None:
    policy(acme, "require_approval", {}, {"expires_s": 1}, priority=0)
    run = ended(run_of(acme, 7))
    assert (run.status, run.failure_reason, far_end.hits) == ("failed", "approval_expired", [])


def test_a_branch_that_waits_for_a_yes_goes_on_when_it_comes_while_another_works(
    acme: Tenant, tool: Tool, far_end: FarEnd, boss: "APIClient"
) -> None:
    flow = make_workflow(
        acme,
        {"id": "fork", "type": "parallel", "config": {}},
        {"id": "pay", "type": "tool", "config": {"tool_id": "pay", "input": {"n": 7}}},
        {"id": "slow", "type": "wait", "config": {"event": "done"}},
        edges=[{"from": "fork", "to": "pay"}, {"from": "fork", "to": "slow"}],
    )
    run = start(acme, "workflow", subject_id=str(flow.pk), subject_version=1)
    assert decide(boss, asked(run)).status_code == 200
    reached(run, "running")
    sent = boss.post(f"/api/v1/runs/{run.pk}/events", {"name": "done", "payload": 1}, format="json")
    assert sent.status_code == 200
    assert ended(run).status == "completed" and len(far_end.hits) == 1
    assert RunEvent.all_tenants.filter(run_id=run.pk, kind="approval_decided").count() == 1
