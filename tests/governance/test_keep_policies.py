"""Policies over REST: who may write which, versions, decisions on record, backtests."""

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from accounts.models import Tenant
from governance.models import Policy, PolicyDecision
from tests.factories import log_in, make_user, make_workflow

if TYPE_CHECKING:
    from rest_framework.test import APIClient

URL = "/api/v1/policies"


def post(api: "APIClient", effect: str = "deny", condition: dict | None = None, **more: Any) -> dict:
    """The new policy."""
    body = {"name": "p", "scope": "tenant", "rule_expr": {"condition": condition or {}, "effect": effect}, **more}
    answer = api.post(URL, body, format="json")
    assert answer.status_code == 201, answer.content
    return answer.json()


def start(api: "APIClient", flow: Any, **input: Any) -> int:
    """The status of starting a run."""
    answer = api.post(f"{URL.removesuffix('policies')}workflows/{flow.pk}/runs", {"input": input}, format="json")
    return answer.status_code


def test_a_change_makes_a_version_and_holds_at_once(api: "APIClient", tenant: Tenant) -> None:
    flow, policy = make_workflow(tenant), post(api, condition={"input.x": 1})
    assert (start(api, flow, x=1), start(api, flow, x=2)) == (403, 201)
    rule = {"condition": {"input.x": 2}, "effect": "deny"}
    updated_policy = api.patch(f"{URL}/{policy['id']}", {"rule_expr": rule}, format="json").json()
    assert (updated_policy["version"], updated_policy["rule_expr"]) == (2, rule)
    assert (start(api, flow, x=1), start(api, flow, x=2)) == (201, 403)
    assert api.delete(f"{URL}/{policy['id']}").status_code == 204
    assert start(api, flow, x=2) == 201


def test_a_global_policy_is_read_by_all_and_written_by_operators(api: "APIClient", tenant: Tenant) -> None:
    operator = log_in(make_user(tenant, "admin", is_staff=True))
    policy = post(operator, scope="global", condition={"input.never": 1})
    assert policy["id"] in [row["id"] for row in api.get(f"{URL}?scope=global").json()]
    url = f"{URL}/{policy['id']}"
    assert api.patch(url, {"enabled": False}, format="json").status_code == 403
    assert api.delete(url).status_code == 403
    own = post(api)
    assert api.patch(f"{URL}/{own['id']}", {"scope": "global"}, format="json").status_code == 403
    assert Policy.all_tenants.get(pk=own["id"]).tenant_id == tenant.pk


def test_other_tenant_gets_404(api: "APIClient", other_tenant: Tenant) -> None:
    url = f"{URL}/{post(api)['id']}"
    stranger = log_in(make_user(other_tenant, "admin"))
    for answer in (stranger.get(url), stranger.patch(url, {}, format="json"), stranger.delete(url)):
        assert answer.status_code == 404
    assert stranger.post(f"{url}/backtest", {}, format="json").status_code == 404
    assert start(stranger, make_workflow(other_tenant)) == 201


@pytest.mark.parametrize(
    "body,field",
    [
        ({"scope": "tool"}, "scope_id"),
        ({"scope": "tenant", "scope_id": "somebody-else"}, "scope_id"),
        ({"name": ""}, "name"),
        ({"priority": "high"}, "priority"),
        ({"rule_expr": {"effect": "explode"}}, "rule_expr"),
    ],
)
def test_a_wrong_policy_names_the_field(api: "APIClient", body: dict, field: str) -> None:
    good = {"name": "p", "scope": "tenant", "rule_expr": {"condition": {}, "effect": "deny"}}
    answer = api.post(URL, good | body, format="json")
    assert answer.status_code == 400
    assert field in answer.json()["context"]["errors"]


def test_every_start_is_on_record_with_its_reason(api: "APIClient", tenant: Tenant) -> None:
    flow = make_workflow(tenant)
    post(api, "allow", name="Fine")
    start(api, flow, x=1)
    post(api, "require_approval", {"input.x": 1}, name="Ask first")
    start(api, flow, x=1)
    latest, first = api.get(f"{URL}/decisions").json()
    assert (first["result"], [one["name"] for one in first["matched"]]) == ("allowed", ["Fine"])
    assert latest["result"] == "requires_approval" and "Ask first" in latest["explanation"]
    assert latest["context"]["workflow_id"] == str(flow.pk) and latest["run_id"]


def test_a_run_that_was_refused_is_on_record_too(transactional_db: None) -> None:
    tenant = Tenant.objects.create(id=f"t-{uuid.uuid4().hex[:8]}", name="t")
    api = log_in(make_user(tenant, "developer"))
    post(api)
    assert start(api, make_workflow(tenant)) == 403
    assert PolicyDecision.objects.for_tenant(tenant).get().result == "denied"


def test_a_backtest_tells_what_would_flip_and_changes_nothing(api: "APIClient", tenant: Tenant) -> None:
    flow, there = make_workflow(tenant), post(api, "allow")
    for amount in (10, 60, 90):
        start(api, flow, amount=amount)
    rule = {"condition": {"input.amount": {"gte": 50}}, "effect": "deny"}
    body = {"name": "c", "scope": "tenant", "rule_expr": rule}
    report = api.post(f"{URL}/backtest", body, format="json").json()
    assert (report["evaluated"], report["matched"], report["flips"]) == (3, 2, 2)
    assert report["by_tool"] == {"(run_start)": {"allowed -> denied": 2}}
    assert report["by_tenant"] == {tenant.pk: {"allowed -> denied": 2}}
    assert "input.amount gte 50 (it is 90)" in report["examples"][0]["explanation"]
    assert [one["id"] for one in api.get(f"{URL}?scope=tenant").json()] == [there["id"]]
    assert start(api, flow, amount=99) == 201


def test_a_saved_policy_is_backtested_with_changes(api: "APIClient", tenant: Tenant) -> None:
    flow = make_workflow(tenant)
    post(api, "allow")
    start(api, flow, amount=60)
    policy = post(api, condition={"input.amount": {"gte": 50}}, enabled=False)
    url = f"{URL}/{policy['id']}/backtest"
    assert api.post(url, {}, format="json").json()["flips"] == 1
    higher = {"condition": {"input.amount": {"gte": 80}}, "effect": "deny"}
    assert api.post(url, {"rule_expr": higher, "decisions": 10}, format="json").json()["flips"] == 0
    assert api.get(f"{URL}/{policy['id']}").json()["rule_expr"]["condition"] == {"input.amount": {"gte": 50}}


def test_a_backtest_of_a_global_rule_is_the_operators(api: "APIClient") -> None:
    body = {"name": "c", "scope": "global", "rule_expr": {"condition": {}, "effect": "deny"}}
    assert api.post(f"{URL}/backtest", body, format="json").status_code == 403
