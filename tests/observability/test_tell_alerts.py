"""Notifications: each channel of a fired alert is told, again until it is taken, and none stops another."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient
from standardwebhooks import Webhook

from accounts.models import Tenant
from observability.alerts import notifications
from observability.models import Alert
from orchestration.models import Run
from orchestration.outgoing.webhooks import tenant_secret
from orchestration.program.retry import Retry
from tests.agents.far_end import FarEnd
from tests.factories import log_in, make_user
from tests.observability.rules import HISTORY, check, make_rule, run_that
from tests.orchestration.running import until
from tests.postbox import Postbox, open_postbox

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def boss(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> APIClient:
    """A developer, one of whose runs has failed."""
    monkeypatch.setattr(notifications, "RETRY", Retry(4, 0.05))
    run_that("failed", acme)
    return log_in(make_user(acme, "developer"))


def fire(boss: APIClient, *channels: dict[str, Any]) -> dict[str, Any]:
    """An alert with these channels."""
    make_rule(boss, "error_rate", 0.5, *channels, name="Failing runs")
    [alert] = check(boss)
    return alert


def notifications_of(boss: APIClient, alert: dict[str, Any]) -> list[dict[str, Any]]:
    """What became of its notifications, once that is known of all."""
    over = ("completed", "failed")

    def look() -> list[dict[str, Any]] | None:
        rows: list[dict[str, Any]] = boss.get(f"{HISTORY}/{alert['id']}").json()["notifications"]
        return rows if rows and all(one["status"] in over for one in rows) else None

    return until(look)


def test_a_webhook_is_posted_signed_and_again_until_it_is_taken(boss: APIClient, acme: Tenant, far_end: FarEnd) -> None:
    far_end.answer = lambda request: (500 if len(far_end.hits) < 2 else 200, {}, b"")
    alert = fire(boss, {"type": "webhook", "config": {"url": f"{far_end.url}/hook?key=s3cret"}})
    [one] = notifications_of(boss, alert)
    assert (one["channel"], one["action"], one["status"]) == ("webhook", "trigger", "completed")
    first, second = far_end.hits
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    body = Webhook(tenant_secret(acme.pk)).verify(second.body, second.headers)
    assert body["alert_name"] == "Failing runs" and body["rule_type"] == "error_rate" and body["value"] == 1.0
    assert body["message"] == alert["message"] and body["timestamp"] == alert["triggered_at"]
    log = str(boss.get(f"/api/v1/runs/{one['run_id']}/events").json())
    assert log.count("notification_delivery") == 2 and "s3cret" not in log


def test_slack_gets_a_text_and_an_attachment(boss: APIClient, far_end: FarEnd) -> None:
    alert = fire(boss, {"type": "slack", "config": {"webhook_url": f"{far_end.url}/services/T0/B0/x0x0"}})
    [one] = notifications_of(boss, alert)
    body = json.loads(far_end.hits[0].body)
    assert alert["message"] in body["text"] and body["attachments"][0]["title"] == "Failing runs"
    assert "x0x0" not in str(boss.get(f"/api/v1/runs/{one['run_id']}/events").json())


def test_pagerduty_opens_one_incident_and_closes_it(boss: APIClient, far_end: FarEnd) -> None:
    alert = fire(boss, {"type": "pagerduty", "config": {"routing_key": "k" * 32, "url": f"{far_end.url}/v2/enqueue"}})
    notifications_of(boss, alert)
    boss.post(f"{HISTORY}/{alert['id']}/resolve")
    until(lambda: len(far_end.hits) == 2)
    trigger_event, resolve_event = (json.loads(request.body) for request in far_end.hits)
    assert (trigger_event["event_action"], resolve_event["event_action"]) == ("trigger", "resolve")
    assert (
        trigger_event["dedup_key"] == resolve_event["dedup_key"] == alert["id"]
        and trigger_event["routing_key"] == "k" * 32
    )
    assert trigger_event["payload"]["summary"] == alert["message"] and trigger_event["payload"]["severity"] == "error"


def test_checks_and_resolves_are_on_record_with_who_made_them(boss: APIClient, far_end: FarEnd) -> None:
    alert = fire(boss, {"type": "pagerduty", "config": {"routing_key": "k" * 32, "url": far_end.url}})
    boss.post(f"{HISTORY}/{alert['id']}/resolve")

    def look() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = boss.get("/api/v1/audit/logs", {"limit": 100}).json()["logs"]
        return rows if sum(entry["action"] == "run_start" for entry in rows) == 2 else []

    entries = until(look)
    actions_seen = {(entry["action"], entry["resource_type"]) for entry in entries if entry["user_id"]}
    assert {("create", "alert_rule"), ("check", "alert"), ("resolve", "alert")} <= actions_seen
    assert {entry["user_id"] for entry in entries if entry["action"] == "run_start"} == {None}
    assert "k" * 32 not in str(entries)


def test_what_was_resolved_before_it_could_be_told_is_not_told(boss: APIClient, far_end: FarEnd) -> None:
    """Else the trigger would open an incident that nobody closes."""
    resolved: list[int] = []

    def answer(request: Any) -> Any:
        if not resolved:
            [alert] = boss.get(HISTORY).json()["data"]
            resolved.append(boss.post(f"{HISTORY}/{alert['id']}/resolve").status_code)
        return (503, {}, b"")

    far_end.answer = answer
    alert = fire(boss, {"type": "pagerduty", "config": {"routing_key": "k" * 32, "url": far_end.url}})
    until(lambda: resolved)
    far_end.answer = lambda _: (202, {}, b"")
    until(lambda: [json.loads(request.body)["event_action"] for request in far_end.hits][-1] == "resolve")
    actions = [json.loads(request.body)["event_action"] for request in far_end.hits]
    assert actions[-1] == "resolve" and actions.count("resolve") == 1
    assert {one["status"] for one in notifications_of(boss, alert)} == {"completed"}


def test_a_channel_that_fails_stops_no_other_and_says_why(boss: APIClient, far_end: FarEnd) -> None:
    dead_channel = {"type": "webhook", "config": {"url": "http://127.0.0.1:9/"}}
    alert = fire(boss, dead_channel, {"type": "webhook", "config": {"url": far_end.url}})
    first, second = notifications_of(boss, alert)
    assert (first["status"], second["status"]) == ("failed", "completed") and first["error"]


def test_the_run_of_a_notification_shows_no_address(boss: APIClient, far_end: FarEnd) -> None:
    alert = fire(boss, {"type": "webhook", "config": {"url": f"{far_end.url}/private"}})
    [one] = notifications_of(boss, alert)
    run = boss.get(f"/api/v1/runs/{one['run_id']}").json()
    assert run["input"] == {"alert_id": alert["id"], "number": 1, "action": "trigger", "channel": 0}


def test_an_alert_that_is_no_longer_kept_is_not_told(boss: APIClient, far_end: FarEnd) -> None:
    def answer(hit: Any) -> Any:
        Alert.all_tenants.all().delete()
        return (500, {}, b"")

    far_end.answer = answer
    fire(boss, {"type": "webhook", "config": {"url": far_end.url}})
    run = until(lambda: Run.all_tenants.filter(kind="notification", status="failed").first())
    assert run.result["error"] == "The alert is no longer kept." and len(far_end.hits) == 1


@pytest.fixture
def postbox(settings: Any) -> Iterator[Postbox]:
    """Where the product's mail goes."""
    with open_postbox(settings) as box:
        yield box


def test_mail_is_sent_and_again_when_the_server_says_not_now(boss: APIClient, postbox: Postbox) -> None:
    postbox.refused = 1
    alert = fire(boss, {"type": "email", "config": {"to": ["ops@example.com", "boss@example.com"]}})
    [one] = notifications_of(boss, alert)
    assert one["status"] == "completed"
    [letter], [read] = postbox.letters, postbox.read()
    assert letter.rcpt_tos == ["ops@example.com", "boss@example.com"] and letter.mail_from == "regente@example.com"
    assert read["Subject"] == "Alert: Failing runs" and "1 error rate" in str(read.get_payload())
