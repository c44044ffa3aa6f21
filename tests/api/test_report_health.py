"""Roots and health in each contract's words."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import Tenant, User
from accounts.tenancy import request_scope
from orchestration.health import engine_health
from orchestration.models import Run
from tests.factories import PASSWORD, log_in, make_user

pytestmark = pytest.mark.django_db


def test_the_root_speaks_for_both_contracts() -> None:
    body = Client().get("/").json()
    assert set(body) == {"status", "service", "version", "docs", "message", "api"}
    assert (body["status"], body["docs"], body["api"]) == ("online", "/docs", "/api/v1")


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/"])
def test_the_api_root_tells_its_version(path: str) -> None:
    assert set(Client().get(path).json()) == {"message", "version", "api"}


@pytest.mark.parametrize("path", ["/healthz", "/healthz/", "/api/v1/healthz", "/api/v1/healthz/"])
def test_healthz_knows_the_database(path: str) -> None:
    body = Client().get(path).json()
    assert (body["status"], body["database"]) == ("ok", "connected")
    assert body["timestamp"].endswith("Z") and body["uptime"] > 0


def test_healthz_lives_without_its_database(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def __enter__(self) -> None:
            from django.db import OperationalError

            raise OperationalError("connection failed")

        def __exit__(self, *args: object) -> None: ...

    monkeypatch.setattr(connection, "cursor", Gone)
    monkeypatch.setattr(connection, "close", lambda: None)
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert Client().get("/readyz").status_code == 503


def test_health_counts_the_callers_tasks_of_every_state(tenant: Tenant) -> None:
    from orchestration.models import Run

    for status in ("pending", "running", "paused", "completed", "failed", "cancelled"):
        Run.all_tenants.create(tenant=tenant, kind="task", status=status)
    Run.all_tenants.create(tenant=tenant, kind="workflow", status="running")
    body: Any = log_in(make_user(tenant)).get("/health").json()
    assert body["status"] == "healthy"
    assert body["tasks"] == {"total": 6, "pending": 1, "running": 2, "completed": 1, "failed": 1, "cancelled": 1}
    assert set(body["sandbox"]) == {"available", "reason"}
    assert Client().get("/health").json()["tasks"]["total"] == 0, "another tenant's tasks are nobody else's business"


def test_without_an_engine_it_is_not_ready() -> None:
    answer = Client().get("/readyz")
    body = answer.json()
    assert (answer.status_code, body["status"], body["engines"]) == (503, "unavailable", 0)
    assert (body["database"], body["broker"]) == ("connected", "connected")


def test_a_table_whose_rows_are_not_kept_apart_is_named() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE orchestration_workflow NO FORCE ROW LEVEL SECURITY")
    body = Client().get("/readyz").json()
    assert "not kept apart in orchestration_workflow:" in body["problems"]["isolation"]


def test_the_processes_metrics_are_for_operators(tenant: Tenant) -> None:
    operator = User.objects.create_superuser("root@example.com", PASSWORD)
    assert Client().get("/metrics").status_code == 401
    assert log_in(make_user(tenant, role="admin")).get("/metrics").status_code == 403
    answer: Any = log_in(operator).get("/metrics")
    assert "# TYPE" in answer.content.decode() and answer["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["/api/v1/system/health", "/api/v1/observability/health/"])
def test_system_health_tells_each_part(path: str) -> None:
    body = Client().get(path).json()
    assert body["status"] == "degraded"  # no engine is at work here
    assert body["services"] == {
        "database": "connected", "broker": "connected", "engines": 0, "running": 0, "oldest_waiting_s": None,
        "database_role": "regente_app", "engine_database": "connected",
    }  # fmt: skip


def test_the_oldest_waiting_run_of_any_tenant_is_seen_by_everybody(tenant: Tenant) -> None:
    Run.all_tenants.create(tenant=tenant, kind="workflow", due_at=timezone.now() - timedelta(minutes=2))
    with request_scope():
        assert engine_health()["oldest_waiting_s"] >= 60
