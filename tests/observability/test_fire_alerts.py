"""POST /alerts/check: each rule against what was recorded; cooldown, resolve, and whose alerts they are."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Tenant
from config.database.address import direct_parameters
from governance.models import Policy, PolicyDecision
from memory.models import MemoryEntry
from observability import tasks
from observability.alerts import rule_evaluation
from observability.models import Alert, AlertConfig
from orchestration.models import Run
from tests.factories import log_in, make_tenant, make_user
from tests.observability.rules import CONFIGS, HISTORY, check, make_rule, overrun, run_that

pytestmark = pytest.mark.django_db
WEBHOOK = {"type": "webhook", "config": {"url": "https://example.com/hook"}}
PAGER = {"type": "pagerduty", "config": {"routing_key": "R0UT1NGKEY00000001234"}}


@pytest.fixture
def boss(tenant: Tenant) -> APIClient:
    """A developer of the tenant."""
    return log_in(make_user(tenant, "developer"))


def deny(tenant: Tenant, count: int = 1) -> None:
    """So many denials."""
    fields = {"action": "run_start", "result": "denied", "explanation": "No pumps on Sundays.", "context": {}}
    for _ in range(count):
        PolicyDecision.all_tenants.create(tenant=tenant, **fields)


def test_the_error_rate_is_the_share_of_failed_runs_in_the_window(boss: APIClient, tenant: Tenant) -> None:
    for status in ("failed", "completed", "running", "failed"):
        run_that(status, tenant)
    run_that("failed", tenant, created_at=timezone.now() - timedelta(minutes=6))
    run_that("failed", tenant, kind="callback")
    make_rule(boss, "error_rate", 0.5, name="Half")
    assert check(boss) == []
    rule = make_rule(boss, "error_rate", 0.49, name="Nearly half")
    [alert] = check(boss)
    assert alert["alert_config_id"] == rule["id"] and alert["number"] == 1
    assert alert["value"] == {
        "value": 0.5, "threshold": 0.49, "operator": "gt", "window_minutes": 5, "failed": 2, "runs": 4,
    }  # fmt: skip
    assert alert["message"] == (
        "Nearly half: 0.5 error rate (2 of 4 runs failed) in the last 5 min, over the threshold of 0.49."
    )


def test_the_others_are_counts(boss: APIClient, tenant: Tenant) -> None:
    deny(tenant, 2)
    overrun(tenant)
    MemoryEntry.all_tenants.create(tenant=tenant, type="long_term", owner_type="tenant", owner_id="t", content="x")
    over = {"type": "short_term", "owner_type": "tenant", "owner_id": "t", "content": "y"}
    MemoryEntry.all_tenants.create(tenant=tenant, expires_at=timezone.now() - timedelta(seconds=1), **over)
    for kind in ("policy_denials", "budget_exceeded", "memory_usage", "rate_limit"):
        make_rule(boss, kind, -1, name=kind)
    assert {alert["rule_type"]: alert["value"]["count"] for alert in check(boss)} == {
        "policy_denials": 2, "budget_exceeded": 1, "memory_usage": 1, "rate_limit": 0,
    }  # fmt: skip


def test_requests_over_a_limit_are_counted_for_their_tenant(boss: APIClient, tenant: Tenant, settings: Any) -> None:
    rule = make_rule(boss, "rate_limit", 1)
    other = log_in(make_user(make_tenant(), "developer"))
    settings.RATE_LIMIT_USER = 1
    assert [boss.get("/api/v1/auth/me").status_code for _ in range(2)] == [429, 429]
    settings.RATE_LIMIT_USER = 1000
    [alert] = check(boss)
    assert (alert["alert_config_id"], alert["value"]["value"]) == (rule["id"], 2)
    make_rule(other, "rate_limit", 0)
    assert check(other) == []


def test_a_rule_is_not_checked_while_redis_is_away(boss: APIClient, tenant: Tenant, settings: Any) -> None:
    for name in ("Blocks", "More blocks"):
        make_rule(boss, "rate_limit", -1, name=name)
    deny(tenant)
    make_rule(boss, "policy_denials", 0)
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    assert [alert["rule_type"] for alert in check(boss)] == ["policy_denials"]


@pytest.mark.parametrize(("compare", "fires"), [("gt", 0), ("gte", 1), ("lt", 0), ("lte", 1), ("eq", 1)])
def test_the_operator_turns_the_comparison(boss: APIClient, tenant: Tenant, compare: str, fires: int) -> None:
    deny(tenant)
    make_rule(boss, "policy_denials", 1, rule_config={"operator": compare})
    assert len(check(boss)) == fires


def test_an_unresolved_alert_holds_its_rule_for_an_hour(boss: APIClient, tenant: Tenant) -> None:
    deny(tenant)
    make_rule(boss, "policy_denials", 0, rule_config={"window_minutes": 120})
    assert [len(check(boss)) for _ in range(2)] == [1, 0]
    Alert.all_tenants.update(triggered_at=timezone.now() - timedelta(minutes=61))
    assert len(check(boss)) == 1
    [latest, _] = boss.get(HISTORY).json()["data"]
    assert boss.post(f"{HISTORY}/{latest['id']}/resolve").json() == {"message": "Alert resolved"}
    assert [alert["number"] for alert in check(boss)] == [3]


def test_resolving_twice_keeps_who_did_it_first(boss: APIClient, tenant: Tenant) -> None:
    deny(tenant)
    make_rule(boss, "policy_denials", 0)
    [alert] = check(boss)
    url = f"{HISTORY}/{alert['id']}"
    boss.post(f"{url}/resolve")
    first = boss.get(url).json()
    log_in(make_user(tenant, "admin")).post(f"{url}/resolve")
    assert first["resolved_by"] and boss.get(url).json() == first


def test_history_is_filtered_and_paged(boss: APIClient, tenant: Tenant) -> None:
    deny(tenant)
    rules = [make_rule(boss, "policy_denials", 0, name=f"Rule {n}") for n in range(3)]
    alerts = check(boss)
    boss.post(f"{HISTORY}/{alerts[0]['id']}/resolve")
    assert [a["name"] for a in boss.get(HISTORY).json()["data"]] == ["Rule 2", "Rule 1", "Rule 0"]
    assert [a["name"] for a in boss.get(HISTORY, {"resolved": "true"}).json()["data"]] == ["Rule 0"]
    assert len(boss.get(HISTORY, {"resolved": "false"}).json()["data"]) == 2
    assert len(boss.get(HISTORY, {"alert_config_id": rules[1]["id"]}).json()["data"]) == 1
    assert len(boss.get(HISTORY, {"limit": 2}).json()["data"]) == 2
    assert boss.get(HISTORY, {"rule_type": "moon"}).status_code == 400


def test_the_alert_outlives_its_rule(boss: APIClient, tenant: Tenant) -> None:
    deny(tenant)
    rule = make_rule(boss, "policy_denials", 0)
    check(boss)
    assert boss.delete(f"{CONFIGS}/{rule['id']}").status_code == 204
    assert [alert["name"] for alert in boss.get(HISTORY).json()["data"]] == ["Rule"]


def test_only_developers_and_admins_have_to_do_with_alerts(boss: APIClient, tenant: Tenant) -> None:
    rule = make_rule(boss, "policy_denials", 0)
    user = log_in(make_user(tenant))
    responses = [user.get(CONFIGS), user.get(HISTORY), user.post("/api/v1/alerts/check"), user.post(CONFIGS)]
    responses += [user.patch(f"{CONFIGS}/{rule['id']}", {"enabled": False}, format="json")]
    assert {answer.status_code for answer in responses} == {403}


def test_the_schedule_checks_every_tenant_and_forgets_what_is_old(boss: APIClient, tenant: Tenant) -> None:
    other = make_tenant()
    for one in (tenant, other):
        deny(one)
        make_rule(log_in(make_user(one, "developer")), "policy_denials", 0)
    bad_rule = make_rule(boss, "policy_denials", 0, name="Broken")
    AlertConfig.all_tenants.filter(pk=bad_rule["id"]).update(rule_config={})
    assert tasks.check_alerts() == 2
    assert {alert.tenant_id for alert in Alert.all_tenants.all()} == {tenant.pk, other.pk}
    Alert.all_tenants.update(triggered_at=timezone.now() - rule_evaluation.RETENTION - timedelta(days=1))
    assert [tasks.check_alerts(), tasks.forget_alerts()] == [2, 2]
    assert [alert.number for alert in Alert.all_tenants.all()] == [2, 2]


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("rule_config", 5, "an object"),
        ("rule_config", {}, "threshold is required"),
        ("rule_config", {"threshold": "5"}, "threshold is required"),
        ("rule_config", {"threshold": 10**18}, "at most 1e+15"),
        ("rule_config", {"threshold": 5, "window_minutes": 0}, "from 1 to 1440"),
        ("rule_config", {"threshold": 5, "window_minutes": 2.5}, "from 1 to 1440"),
        ("rule_config", {"threshold": 5, "operator": "over"}, "gt, gte, lt, lte, eq"),
        ("rule_config", {"threshold": 5, "operator": ["gt"]}, "gt, gte, lt, lte, eq"),
        ("rule_config", {"threshold": 5, "treshold": 5}, "treshold"),
        ("channels", {}, "an array"),
        ("channels", [WEBHOOK] * 11, "at most 10"),
        ("channels", ["webhook"], "channels[0].type"),
        ("channels", [{"type": "webhook", "config": "https://example.com/"}], "channels[0].config must be an object"),
        ("channels", [WEBHOOK, {"type": "webhook", "config": {}}], "channels[1].config.url"),
        ("channels", [{"type": "webhook", "config": {"url": "http://10.0.0.1/"}}], "channels[0].config.url"),
        ("channels", [{"type": "slack", "config": {"url": "file:///etc/passwd"}}], "http and https"),
        ("channels", [{"type": "pagerduty", "config": {}}], "routing_key"),
        ("channels", [{"type": "email", "config": {"to": "ops@example.com"}}], "EMAIL_HOST"),
        ("name", "", "blank"),
        ("rule_type", "moon_phase", "moon_phase"),
        ("enabled", "yes", "true or false"),
    ],
)
def test_a_wrong_rule_is_refused_by_field(boss: APIClient, field: str, value: Any, text: str) -> None:
    body = {"name": "R", "rule_type": "error_rate", "rule_config": {"threshold": 0.5}} | {field: value}
    answer = boss.post(CONFIGS, body, format="json")
    assert answer.status_code == 400 and field in str(answer.json()) and text in str(answer.json())
    assert not AlertConfig.all_tenants.exists()


def test_addresses_of_mail_are_checked(boss: APIClient, settings: Any) -> None:
    settings.EMAIL_HOST = "127.0.0.1"
    for to in ("nobody", [], ["a@example.com"] * 21, ["a@example.com", 5], None):
        body = {"name": "R", "rule_type": "rate_limit", "rule_config": {"threshold": 1}}
        body |= {"channels": [{"type": "email", "config": {"to": to}}]}
        assert "config.to" in str(boss.post(CONFIGS, body, format="json").json())


def test_a_key_is_kept_sealed_shown_masked_and_stays_when_it_comes_back_so(boss: APIClient) -> None:
    rule = make_rule(boss, "rate_limit", 5, PAGER, WEBHOOK)
    assert rule["channels"][0]["config"]["routing_key"] == "…1234" and "R0UT1NG" not in str(rule)
    row = AlertConfig.all_tenants.get()
    assert "R0UT1NG" not in row.sealed
    answer = boss.put(f"{CONFIGS}/{rule['id']}", rule | {"name": "Renamed"}, format="json")
    assert answer.status_code == 200 and answer.json()["name"] == "Renamed"
    from observability.alerts.channels import decrypt_channels

    row.refresh_from_db()
    assert decrypt_channels(row.sealed)[0]["config"]["routing_key"] == PAGER["config"]["routing_key"]
    elsewhere = {"type": "pagerduty", "config": {"routing_key": "…1234", "url": "https://example.com/"}}
    for body in ({"channels": [elsewhere]}, {"channels": [{"type": "pagerduty", "config": {"routing_key": "…4321"}}]}):
        answer = boss.patch(f"{CONFIGS}/{rule['id']}", body, format="json")
        assert answer.status_code == 400 and "send it whole" in str(answer.json())
    log = str(boss.get("/api/v1/audit/logs", {"limit": 100}).json())
    assert "Renamed" in log and "example.com" not in log and "R0UT1NG" not in log


def test_there_is_a_most_of_rules(boss: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_evaluation, "MAX_RULES", 1)
    make_rule(boss, "rate_limit", 5)
    body = {"name": "R", "rule_type": "rate_limit", "rule_config": {"threshold": 1}}
    assert boss.post(CONFIGS, body, format="json").status_code == 409


def test_a_denied_notification_is_on_record(boss: APIClient, tenant: Tenant) -> None:
    deny(tenant)
    rule = {"condition": {"run.kind": "notification"}, "effect": "deny"}
    Policy.all_tenants.create(tenant=tenant, name="Quiet", scope="tenant", scope_id=tenant.pk, rule_expr=rule)
    make_rule(boss, "policy_denials", 0, WEBHOOK)
    assert len(check(boss)) == 1 and not Run.all_tenants.exists()
    assert PolicyDecision.all_tenants.filter(result="denied").count() == 2


def test_no_run_is_counted_that_is_the_products_own(boss: APIClient, tenant: Tenant) -> None:
    deny(tenant)
    make_rule(boss, "policy_denials", 0, WEBHOOK)
    check(boss)
    assert Run.all_tenants.get().kind == "notification"
    Run.all_tenants.update(status="failed")
    make_rule(boss, "error_rate", 0)
    assert check(boss) == []


def test_a_rename_leaves_channels_as_they_are(boss: APIClient) -> None:
    rule = make_rule(boss, "rate_limit", 5, PAGER, WEBHOOK)
    answer = boss.patch(f"{CONFIGS}/{rule['id']}", {"name": "Renamed"}, format="json").json()
    assert (answer["name"], answer["channels"]) == ("Renamed", rule["channels"])


def test_two_checks_at_once_fire_once(boss: APIClient, tenant: Tenant) -> None:
    deny(tenant)
    make_rule(boss, "policy_denials", 0)
    with psycopg.connect(**direct_parameters()) as other_check:
        other_check.execute(rule_evaluation.ALONE, [tenant.pk])
        assert check(boss) == []
    assert len(check(boss)) == 1
