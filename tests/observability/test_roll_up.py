"""Rollups: everything is counted once, whoever counts and however often, and stays when its day is over."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Tenant
from accounts.tenancy.tenant_model import bind, request_scope
from observability import tasks
from observability.metrics import rollups
from observability.metrics.metric_values import read_metrics
from observability.metrics.queries import QUERIES
from observability.models import Rollup, RollupOutbox
from orchestration.models import Run, RunEvent, Step
from tests.factories import log_in, make_user
from tests.observability.rules import run_that

METRICS = "/api/v1/metrics"


def ended_run(tenant: Tenant, status: str = "completed", at: datetime | None = None, **fields: Any) -> Run:
    """A run that ended then, with the event that says so."""
    at = at or timezone.now()
    run = run_that(status, tenant, started_at=at - timedelta(seconds=1), finished_at=at, **fields)
    RunEvent.all_tenants.create(tenant=tenant, run=run, seq=1, kind=f"run_{status}", payload=run.result, ts=at)
    return run


def total(tenant: Tenant, measure: str) -> int:
    """How often it is rolled up."""
    return sum(Rollup.objects.for_tenant(tenant).filter(measure=measure).values_list("n", flat=True))


@pytest.mark.django_db
def test_what_is_counted_leaves_the_outbox_and_is_not_counted_again(tenant: Tenant) -> None:
    ended_run(tenant)
    ended_run(tenant, kind="callback")
    assert RollupOutbox.objects.for_tenant(tenant).count() == 2
    assert (rollups.count(), rollups.count()) == (2, 0)
    assert total(tenant, "run") == 1 and not RollupOutbox.all_tenants.exists()


@pytest.mark.django_db(transaction=True)
def test_many_who_count_at_once_count_everything_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = Tenant.objects.create(id="acme", name="Acme")
    monkeypatch.setattr(rollups, "MAX_BATCH", 3)
    for _ in range(20):
        ended_run(tenant)

    def work() -> None:
        rollups.count_all()
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rollups.count_all()  # who found another one at it has left
    assert total(tenant, "run") == 20 and not RollupOutbox.all_tenants.exists()


@pytest.mark.django_db(transaction=True)
def test_a_question_does_not_wait_for_who_counts(transactional_db: None) -> None:
    tenant = Tenant.objects.create(id="acme", name="Acme")
    client = log_in(make_user(tenant, "developer"))
    ended_run(tenant)
    counting, answered_event = threading.Event(), threading.Event()

    def work() -> None:
        with transaction.atomic():
            rollups.count()
            counting.set()
            answered_event.wait(20)
            transaction.set_rollback(True)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert counting.wait(20)
    body = client.get(METRICS).json()
    answered_event.set()
    thread.join()
    assert body["runs"]["by_status"] == {"completed": 1} and body["performance"]["avg_run_duration_ms"] == 1000


@pytest.mark.django_db(transaction=True)
def test_what_is_not_committed_yet_is_counted_later(transactional_db: None) -> None:
    tenant = Tenant.objects.create(id="acme", name="Acme")
    counts: list[int] = []

    def look() -> None:
        counts.append(tasks.count())
        connection.close()

    with transaction.atomic():
        ended_run(tenant)
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert counts == [0] and tasks.count() == 1 and total(tenant, "run") == 1


@pytest.mark.django_db
def test_a_run_that_ends_between_counts_shrinks_no_total(tenant: Tenant, api: APIClient) -> None:
    ended_run(tenant)
    run = run_that("running", tenant, result=None, due_at=timezone.now())

    before = read_metrics([tenant.pk], timezone.now()).of("run").ever
    Run.all_tenants.filter(pk=run.pk).update(status="completed", due_at=None, finished_at=timezone.now())
    RunEvent.all_tenants.create(tenant=tenant, run=run, seq=1, kind="run_completed", payload={}, ts=timezone.now())
    assert before == read_metrics([tenant.pk], timezone.now()).of("run").ever == 2
    assert api.get(METRICS).json()["runs"]["by_status"] == {"completed": 2}


@pytest.mark.django_db
def test_percentiles_are_of_the_sizes_counted(tenant: Tenant, api: APIClient) -> None:
    run = ended_run(tenant)
    for number in range(1, 101):
        started_at = run.finished_at - timedelta(milliseconds=number * 10)
        Step.all_tenants.create(
            tenant=tenant, run=run, name=f"s{number}", position=number, node_id="s", type="static",
            status="completed", started_at=started_at, finished_at=run.finished_at,
        )  # fmt: skip
    body = api.get(METRICS).json()["performance"]
    for name, exact in (("p50", 500), ("p95", 950), ("p99", 990)):
        assert exact <= body[f"step_duration_{name}_ms"] <= exact * 1.05
    assert body["avg_step_duration_ms"] == 505 and body["steps_per_run_avg"] == 100


@pytest.mark.django_db
def test_today_begins_at_midnight_and_a_day_has_24_hours(tenant: Tenant, api: APIClient) -> None:
    now = timezone.now().astimezone(UTC)
    ended_run(tenant)
    ended_run(tenant, at=now - timedelta(days=2))
    body = api.get(METRICS).json()["runs"]
    assert (body["total"], body["completed_today"], body["throughput_per_hour"]) == (2, 1, 0.04)


@pytest.mark.django_db
def test_old_hours_become_days_and_the_totals_stay(tenant: Tenant, api: APIClient) -> None:
    day = (timezone.now() - timedelta(days=40)).replace(hour=0)
    for hour in (3, 4, 20):
        ended_run(tenant, at=day.replace(hour=hour))
    ended_run(tenant)
    rollups.count_all()
    before = api.get(METRICS).json()
    assert tasks.merge_rollups() > 0 and tasks.merge_rollups() == 0
    assert Rollup.objects.for_tenant(tenant).filter(measure="run", label="completed").count() == 2
    after = api.get(METRICS).json()
    for section in ("runs", "performance", "errors"):
        assert before[section] == after[section]


@pytest.mark.django_db
def test_requests_of_hours_that_nobody_asked_about_are_kept(tenant: Tenant, api: APIClient, settings: Any) -> None:
    api.get("/api/v1/auth/me")
    assert tasks.count_requests() >= 1
    assert total(tenant, "requests") >= 1
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    assert tasks.count_requests() == 0


@pytest.mark.django_db
def test_odd_payloads_stop_nothing(tenant: Tenant, api: APIClient) -> None:
    run = ended_run(tenant)
    odd = {"latency_ms": "soon", "usage": [1], "model": "m" * 500, "provider": None, "error": "x", "error_type": 5}
    vast = {"latency_ms": 10**400, "usage": {"promptTokens": 1e308}, "estimated_cost_cents": -(10**400)}
    payloads = (odd, {}, {"latency_ms": -4, "estimated_cost_cents": None}, vast)
    for seq, payload in enumerate(payloads, start=2):
        RunEvent.all_tenants.create(
            tenant=tenant, run=run, seq=seq, kind="llm_call", payload=payload, ts=run.finished_at
        )
    body = api.get(METRICS).json()["llm"]
    assert (body["calls_total"], body["cost_cents_total"], body["error_rate"]) == (4, 0, 0.25)
    assert body["by_model"] == {"unknown": 3, "m" * 128: 1}
    assert 0 < body["latency_p50_ms"] < 1 < body["latency_p99_ms"]


def test_the_outbox_shows_a_request_its_own_tenants_rows_alone(tenant: Tenant, other_tenant: Tenant) -> None:
    ended_run(tenant)
    with request_scope():
        bind(other_tenant.pk)
        assert not RollupOutbox.all_tenants.exists()
        bind(tenant.pk)
        assert RollupOutbox.all_tenants.count() == 1


def test_a_missing_table_row_is_passed_over(tenant: Tenant, api: APIClient) -> None:
    run = ended_run(tenant)
    RunEvent.all_tenants.filter(run=run).delete()
    assert rollups.count() == 1 and api.get(METRICS).json()["runs"]["total"] == 0


def test_a_run_has_the_same_metrics_before_and_after_its_end() -> None:
    lists = [QUERIES[name].split("('run', status")[1].split(") AS m")[0] for name in ("count_outbox", "read_metrics")]
    assert lists[0] == lists[1] and "run.failed" in lists[0]
