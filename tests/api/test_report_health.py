"""Roots and health in each contract's words."""

import socket
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from accounts.models import Tenant, User
from accounts.tenancy.tenant_model import request_scope
from config.database import probe
from config.database.probe import NO_ANSWER, NOT_MIGRATED, REFUSES, Probe
from config.http import health_views
from config.processes import scheduler_heartbeat
from orchestration.engine.health import engine_health
from orchestration.models import Run
from tests.factories import PASSWORD, log_in, make_user

ENGINE = """
INSERT INTO orchestration_engine (owner, lock_key, host, pid, slots, running, draining, locked_at, lease_until)
VALUES ('test', 1, 'here', 1, 1, 0, false, now(), now() + interval '1 minute')
"""
pytestmark = pytest.mark.django_db


@pytest.fixture
def engine_row() -> None:
    """An engine that lives for a minute."""
    with connection.cursor() as cursor:
        cursor.execute(ENGINE)


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


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Changes where new connections look for the database, for this test alone."""
    monkeypatch.setattr(health_views, "PROBE", Probe())
    return partial(monkeypatch.setitem, connections.settings["default"])


@pytest.fixture
def silent() -> Iterator[str]:
    """The folder of a socket where somebody takes calls and never says a word, as a frozen server does."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{folder}/.s.PGSQL.5432")
        door.listen()
        yield folder


def states() -> tuple[Any, ...]:
    """What the two say: (healthz' code, status, database, readyz' code, its problem with the database)."""
    alive, ready = Client().get("/healthz"), Client().get("/readyz")
    body = alive.json()
    return alive.status_code, body["status"], body["database"], ready.status_code, ready.json()["problems"]["database"]


def test_a_database_that_is_not_there_is_disconnected(elsewhere: Callable[[str, str], None]) -> None:
    elsewhere("HOST", "/nowhere")
    assert states() == (200, "degraded", "disconnected", 503, NO_ANSWER)


def test_a_database_that_never_answers_is_disconnected(elsewhere: Callable[[str, str], None], silent: str) -> None:
    elsewhere("HOST", silent)
    assert states() == (200, "degraded", "disconnected", 503, NO_ANSWER)


def test_a_database_that_does_not_exist_is_an_error(elsewhere: Callable[[str, str], None]) -> None:
    elsewhere("NAME", "nothing")
    assert states() == (200, "degraded", "error", 503, REFUSES)


def test_a_database_without_tables_is_an_error_that_names_prepare(elsewhere: Callable[[str, str], None]) -> None:
    elsewhere("NAME", "template1")
    assert states() == (200, "degraded", "error", 503, NOT_MIGRATED)
    assert "config.launch prepare" in NOT_MIGRATED


def test_a_database_of_an_older_release_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_views, "PROBE", Probe())
    monkeypatch.setattr(probe, "migrations", lambda: frozenset({("accounts", "9999_of_tomorrow")}))
    assert states() == (200, "ok", "connected", 503, NOT_MIGRATED)


def test_nothing_else_is_asked_of_a_database_that_is_away(elsewhere: Callable[[str, str], None]) -> None:
    elsewhere("HOST", "/nowhere")
    body = Client().get("/readyz").json()
    assert set(body["problems"]) == {"database", "scheduler"} and "engines" not in body


def test_a_missing_scheduler_degrades_and_one_that_beats_is_alive(engine_row: None) -> None:
    scheduler_heartbeat.broker().delete(scheduler_heartbeat.KEY)
    answer = Client().get("/readyz")
    body = answer.json()
    assert (answer.status_code, body["status"], body["scheduler"]) == (200, "degraded", "missing")
    assert "config.launch scheduler" in body["problems"]["scheduler"]
    scheduler_heartbeat.beat()
    body = Client().get("/readyz").json()
    assert (body["status"], body["scheduler"], body["problems"]) == ("ready", "alive", {})


def test_a_heartbeat_does_not_outlive_its_scheduler() -> None:
    scheduler_heartbeat.beat()
    assert 0 < scheduler_heartbeat.broker().ttl(scheduler_heartbeat.KEY) <= scheduler_heartbeat.LIFETIME_S


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
    scheduler_heartbeat.broker().delete(scheduler_heartbeat.KEY)
    body = Client().get(path).json()
    assert body["status"] == "degraded"  # no engine is at work here
    parts = {"database": "connected", "broker": "connected", "scheduler": "missing"}
    parts |= {"database_role": "regente_app", "engine_database": "connected"}
    parts |= {"engines": 0, "running": 0, "oldest_waiting_s": None}
    assert parts.items() <= body["services"].items() and body["services"]["task_restarts"] >= 0


def test_the_oldest_waiting_run_of_any_tenant_is_seen_by_everybody(tenant: Tenant) -> None:
    Run.all_tenants.create(tenant=tenant, kind="workflow", due_at=timezone.now() - timedelta(minutes=2))
    with request_scope():
        assert engine_health()["oldest_waiting_s"] >= 60
