"""Long lists: totals that are exact up to 10,000, and pages that read no more rows than they show."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import Tenant
from accounts.tenancy.tenant_model import bind, request_scope
from config.http import paging
from governance.models import AuditEntry, PolicyDecision
from orchestration.models import Run, RunEvent
from tests.factories import make_tenant

MAX_COUNT = 10_000
RUNS = "/api/v1/runs"
Make = Callable[..., None]
# The id of the n-th copy: later than the row's, in the order of n.
ID = "(left(id::text, 24) || lpad(to_hex(n), 12, '0'))::uuid"


@pytest.fixture(autouse=True)
def nothing_counted() -> Iterator[None]:
    """No count of another test is known."""
    paging._beyond.clear()
    yield
    paging._beyond.clear()


@pytest.fixture
def make_runs(tenant: Tenant) -> Make:
    """Factory: so many runs of the tenant."""

    def make(number: int, of: Tenant = tenant, **fields: Any) -> None:
        first = Run.all_tenants.create(
            tenant=of, **{"kind": "workflow", "subject_id": "flow", "status": "completed", **fields}
        )
        copy(first, number - 1, id=ID)

    return make


def copy(row: Model, number: int, **changed: str) -> None:
    """So many copies of the row, with these columns as SQL has them (n counts)."""
    names = [field.column for field in row._meta.concrete_fields if field.column]
    values = [changed.get(name, name) for name in names]
    table, key = row._meta.db_table, "run_id" if isinstance(row, RunEvent) else "id"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)}"
            f" FROM {table}, generate_series(1, {number}) n WHERE {key} = %s",
            [getattr(row, key)],
        )


def meta(api: APIClient, **query: Any) -> tuple[int, bool, int]:
    """(total, whether it is exact, pages) of GET /runs."""
    told = api.get(RUNS, query).json()["meta"]
    return told["total"], told["totalIsExact"], told["totalPages"]


def test_a_total_is_exact_up_to_ten_thousand(api: APIClient, make_runs: Make) -> None:
    make_runs(MAX_COUNT)
    assert meta(api, limit=20) == (MAX_COUNT, True, 500)
    make_runs(1)
    assert meta(api, limit=20) == (MAX_COUNT, False, 500)
    assert meta(api, limit=20, status="failed") == (0, True, 0)
    make_runs(3, status="failed")
    assert meta(api, limit=2, status="failed") == (3, True, 2)
    assert meta(api, limit=20) == (MAX_COUNT, False, 500), "what is known to be beyond is not counted again"


def test_rows_behind_the_total_are_reached_and_a_page_behind_the_end_is_the_last(
    api: APIClient, make_runs: Make
) -> None:
    make_runs(MAX_COUNT + 5)
    body = api.get(RUNS, {"limit": 1000, "page": 11}).json()
    assert len(body["data"]) == 5 and body["meta"]["page"] == 11
    last = api.get(RUNS, {"limit": 1000, "page": 10**9}).json()
    assert last["data"] == body["data"] and last["meta"] == body["meta"]
    assert body["meta"]["total"] == MAX_COUNT and not body["meta"]["totalIsExact"]


def test_another_tenants_rows_do_not_count(api: APIClient, make_runs: Make) -> None:
    make_runs(MAX_COUNT + 1, of=make_tenant())
    make_runs(2)
    assert meta(api, limit=1) == (2, True, 2)


def test_an_array_says_that_its_total_is_not_exact(api: APIClient, tenant: Tenant) -> None:
    run = Run.all_tenants.create(tenant=tenant, kind="workflow", status="completed")
    event = RunEvent.all_tenants.create(tenant=tenant, run=run, seq=1, kind="note", payload={}, ts=datetime.now(UTC))
    copy(event, MAX_COUNT + 1, seq="n + 1")
    answer = api.get(f"{RUNS}/{run.pk}/events", {"limit": 1})
    assert (answer["X-Total-Count"], answer["X-Total-Is-Exact"]) == (str(MAX_COUNT), "false")
    rest = api.get(f"{RUNS}/{run.pk}/events", {"limit": 10, "offset": MAX_COUNT})
    assert [event["seq"] for event in rest.json()] == [MAX_COUNT + 1, MAX_COUNT + 2]


def test_lists_of_other_kinds_are_counted_alike(api: APIClient, make_runs: Make) -> None:
    input = {"initial_prompt": "x", "workflow_definition": {"type": "parallel", "agents": [{"agent_id": "a"}]}}
    for path, kind in (("/api/v1/executions", "team"), ("/api/ai/jobs", "agent_job")):
        make_runs(MAX_COUNT + 1, kind=kind, input=input)
        answer = api.get(path, {"limit": 1})
        assert (answer["X-Total-Count"], answer["X-Total-Is-Exact"]) == (str(MAX_COUNT), "false"), path
    make_runs(MAX_COUNT + 1, kind="task", input={"objective": "x"})
    body = api.get("/tasks", {"limit": 1}).json()
    assert (body["total"], body["total_is_exact"]) == (MAX_COUNT, False)


def test_the_audit_log_and_decisions_are_counted_alike(api: APIClient, tenant: Tenant) -> None:
    copy(AuditEntry.all_tenants.create(tenant=tenant, action="x", resource_type="y"), MAX_COUNT, id="id + n")
    body = api.get("/api/v1/audit/logs", {"limit": 1, "action": "x"}).json()
    assert (body["total"], body["totalIsExact"]) == (MAX_COUNT, False)
    assert api.get("/api/v1/audit/logs", {"action": "z"}).json()["totalIsExact"]
    decision = PolicyDecision.all_tenants.create(
        tenant=tenant, action="run_start", result="allowed", explanation="", context={}
    )
    copy(decision, MAX_COUNT, id="id + n")
    assert api.get("/api/v1/policies/decisions", {"limit": 1})["X-Total-Is-Exact"] == "false"


def rows_read(api: APIClient, tenant: Tenant, path: str, query: dict[str, Any]) -> int:
    """The rows that PostgreSQL reads for the page of the answer, as the web's role."""
    with CaptureQueriesContext(connection) as queries:
        assert api.get(path, query).status_code == 200
    (page,) = [one["sql"] for one in queries.captured_queries if " LIMIT " in one["sql"] and "COUNT(" not in one["sql"]]
    with request_scope(), connection.cursor() as cursor:
        bind(tenant.pk)
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {page}")
        plan = cursor.fetchone()[0]
        return _read((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])


def _read(plan: dict[str, Any]) -> int:
    """Rows that the scans of a plan look at."""
    below: int = sum(_read(one) for one in plan.get("Plans", ()))
    if "Scan" not in plan["Node Type"] or plan["Node Type"] == "Subquery Scan":
        return below
    filtered = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
    return below + int((plan["Actual Rows"] + filtered) * plan["Actual Loops"])


def test_a_page_reads_no_more_rows_than_it_shows(api: APIClient, tenant: Tenant, make_runs: Make) -> None:
    make_runs(10, status="failed", subject_id="rare")
    make_runs(10, kind="task", input={"objective": "x"})
    make_runs(10, kind="agent_job", subject_id="dummy")
    make_runs(4_000)
    make_runs(4_000, of=make_tenant(), subject_id="rare", status="failed")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE orchestration_run")
    pages = [
        (RUNS, {}),
        (RUNS, {"status": "failed"}),
        (RUNS, {"status": "running"}),
        (RUNS, {"status": "completed"}),
        (RUNS, {"workflow_id": "rare"}),
        (RUNS, {"workflow_id": "flow"}),
        (RUNS, {"kind": "task"}),
        (RUNS, {"kind": "workflow"}),
        ("/tasks", {}),
        ("/api/ai/jobs", {}),
        ("/api/v1/executions", {}),
    ]
    read = {f"{path} {query}": rows_read(api, tenant, path, query | {"limit": 20}) for path, query in pages}
    assert max(read.values()) <= 40, read
