"""A suspended tenant: its people are refused, whatever they show, and nothing of it runs, until it is resumed."""

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.members import LOCAL, invite
from accounts.models import RefreshToken, Tenant, User
from governance.models import AuditEntry
from observability.alerts import rule_evaluation
from orchestration.models import Run
from tests.factories import PASSWORD, log_in, make_tenant, make_user, token_of

pytestmark = pytest.mark.django_db
ME, LOGIN, REFRESH = "/api/v1/auth/me", "/api/v1/auth/login", "/api/v1/auth/refresh"


def suspend(tenant: Tenant, reason: str = "") -> None:
    """As the admin's page does it."""
    Tenant.objects.filter(pk=tenant.pk).update(suspended=True, suspension_reason=reason)


def resume(tenant: Tenant) -> None:
    Tenant.objects.filter(pk=tenant.pk).update(suspended=False)


def refused(answer: Any) -> None:
    body = answer.json()
    assert (answer.status_code, body["errorCode"]) == (403, "TENANT_SUSPENDED"), body
    assert "operator" in body["message"]


@pytest.fixture
def user(tenant: Tenant) -> User:
    """A developer of the tenant."""
    return make_user(tenant, role="developer")


def with_token(user: User) -> APIClient:
    return log_in(user)


def with_cookie(user: User) -> APIClient:
    client = APIClient()
    client.cookies["access_token"] = token_of(user)
    return client


def with_key(user: User) -> APIClient:
    key = log_in(user).post("/api/v1/auth/api-keys", {"name": "k", "permissions": ["write"]}, format="json").json()
    client = APIClient()
    client.credentials(HTTP_X_API_KEY=key["key"])
    return client


@pytest.mark.parametrize("client_of", [with_token, with_cookie, with_key])
def test_no_credential_opens_anything_until_it_is_resumed(tenant: Tenant, user: User, client_of: Any) -> None:
    client = client_of(user)
    suspend(tenant)
    refused(client.get(ME))
    refused(client.post("/api/v1/workflows", {"name": "f"}, format="json"))
    resume(tenant)
    assert client.get(ME).status_code == 200


@pytest.mark.parametrize(
    "path", ["/api/v1/runs", "/api/v1/teams", "/api/v1/files", "/api/v1/metrics", "/api/v1/auth/users"]
)
def test_every_door_of_the_api_is_closed(tenant: Tenant, user: User, path: str) -> None:
    client = log_in(user)
    suspend(tenant)
    refused(client.get(path))


@pytest.mark.parametrize("path", ["/api/ai/jobs/", "/tasks"])
def test_the_other_contracts_say_it_in_their_words(tenant: Tenant, user: User, path: str) -> None:
    client = log_in(user)
    suspend(tenant, "bill 4711 is open")
    answer = client.get(path)
    assert answer.status_code == 403
    assert "suspended (bill 4711 is open)" in answer.json()["detail"]


def test_nobody_logs_in_and_no_session_is_left(tenant: Tenant, user: User) -> None:
    suspend(tenant, "bill 4711 is open")
    answer = APIClient().post(LOGIN, {"email": user.email, "password": PASSWORD}, format="json")
    refused(answer)
    assert "bill 4711 is open" in answer.json()["message"] and "access_token" not in answer.cookies
    assert not RefreshToken.objects.exists()
    wrong = APIClient().post(LOGIN, {"email": user.email, "password": "wrong"}, format="json")
    assert wrong.status_code == 401, "who does not know the password does not learn of it either"


def test_a_refresh_token_is_refused_and_works_afterwards(tenant: Tenant, user: User) -> None:
    tokens = APIClient().post(LOGIN, {"email": user.email, "password": PASSWORD}, format="json").json()
    suspend(tenant)
    body = {"refresh_token": tokens["refresh_token"]}
    refused(APIClient().post(REFRESH, body, format="json"))
    resume(tenant)
    assert APIClient().post(REFRESH, body, format="json").status_code == 200


def test_an_invitation_is_not_used_up(tenant: Tenant) -> None:
    from datetime import timedelta

    _, code = invite(tenant, make_user(tenant, role="admin"), "user", "", timedelta(hours=1))
    body = {"email": "late@example.com", "password": PASSWORD, "invitation": code}
    suspend(tenant)
    refused(APIClient().post("/api/v1/auth/register", body, format="json"))
    assert not User.objects.filter(email="late@example.com").exists()
    resume(tenant)
    assert APIClient().post("/api/v1/auth/register", body, format="json").status_code == 201


def test_this_machines_own_tenant_can_be_suspended_too(settings: Any) -> None:
    settings.TASKS_ANONYMOUS = True
    local = APIClient(HTTP_HOST="127.0.0.1")
    assert local.get("/tasks").status_code == 200
    suspend(Tenant.objects.get(pk=LOCAL))
    assert local.get("/tasks").status_code == 403


def test_others_notice_nothing(tenant: Tenant, other_tenant: Tenant) -> None:
    client = log_in(make_user(other_tenant))
    suspend(tenant)
    assert client.get(ME).status_code == 200


def test_an_operator_sees_it_all_the_same(tenant: Tenant) -> None:
    operator = log_in(User.objects.create_superuser("root@example.com", PASSWORD))
    suspend(tenant)
    assert operator.get("/api/v1/runs", HTTP_X_TENANT_ID=tenant.pk).status_code == 200


def test_its_alert_rules_are_not_checked(tenant: Tenant, user: User) -> None:
    rule = {"threshold": 0, "operator": "gte", "window_minutes": 60}
    body = {"name": "a", "rule_type": "error_rate", "rule_config": rule, "channels": []}
    assert log_in(user).post("/api/v1/alerts/configs", body, format="json").status_code == 201
    suspend(tenant)
    assert rule_evaluation.check_all() == 0
    resume(tenant)
    assert rule_evaluation.check_all() == 1


def test_what_waits_of_it_is_not_told_as_a_queue(tenant: Tenant) -> None:
    from django.utils import timezone

    from orchestration.engine.health import engine_health

    Run.all_tenants.create(tenant=tenant, kind="workflow", due_at=timezone.now())
    suspend(tenant)
    assert engine_health()["oldest_waiting_s"] is None


# ---- the admin's page


@pytest.fixture
def pages(db: None) -> Client:
    """An operator's browser."""
    browser = Client()
    browser.force_login(User.objects.create_superuser("root@example.com", PASSWORD))
    return browser


def page(tenant: Tenant, **changed: str) -> dict[str, str]:
    return {"name": tenant.name, "weight": "1", "max_running": "", "suspension_reason": "", **changed}


def test_the_admin_suspends_and_resumes_and_both_are_on_record(pages: Client, tenant: Tenant, user: User) -> None:
    url, client = f"/admin/accounts/tenant/{tenant.pk}/change/", log_in(user)
    sent = pages.post(url, page(tenant, suspended="on", suspension_reason="spam"))
    assert sent.status_code == 302, sent.content
    refused(client.get(ME))
    assert pages.post(url, page(tenant)).status_code == 302
    assert client.get(ME).status_code == 200
    kept = AuditEntry.all_tenants.filter(tenant=tenant, resource_type="tenant", action="update").order_by("created_at")
    assert [(row.before["suspended"], row.after["suspended"]) for row in kept] == [(False, True), (True, False)]
    assert kept[0].after["suspension_reason"] == "spam"


def test_the_operators_cannot_lock_themselves_out(pages: Client) -> None:
    own = make_tenant(id="operators", name="Operators")
    sent = pages.post(f"/admin/accounts/tenant/{own.pk}/change/", page(own, suspended="on"))
    assert sent.status_code == 200 and b"cannot be suspended" in sent.content
    own.refresh_from_db()
    assert not own.suspended


def test_a_tenants_admin_cannot_resume_it_or_set_it(tenant: Tenant) -> None:
    client = log_in(make_user(tenant, role="admin"))
    assert client.patch("/api/v1/tenant", {"suspended": True}, format="json").status_code == 200  # an unknown field
    tenant.refresh_from_db()
    assert not tenant.suspended
