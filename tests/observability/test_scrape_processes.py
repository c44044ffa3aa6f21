"""`/metrics` counts all processes together: whoever answers says the same, and totals only grow."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import httpx
import psutil
import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from rest_framework.test import APIClient

from accounts.models import Tenant, User
from config.embedded_servers import BASE_DIR
from tests.factories import PASSWORD, log_in, make_user
from tests.observability.test_roll_up import ended_run
from tests.product import NOT_INHERITED, Product

PATIENCE_S = 30.0
EMAIL, SECRET = "scraper@example.com", "correct-Horse-7-scrapes"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
CONTRACT_NAMES = {  # names that the contract of GET /metrics?format=prometheus fixes, whatever promtool says of them
    "llm_latency_ms", "run_duration_ms", "step_duration_ms", "tool_avg_duration_ms", "memory_items_total",
}  # fmt: skip
needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="promtool is not installed (Debian: apt-get install prometheus)"
)


def complaints(text: str) -> list[str]:
    """What promtool says of the text, line by line."""
    result = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    return [line for line in (result.stdout + result.stderr).splitlines() if line.strip()]


def samples(text: str) -> Samples:
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def grows(name: str) -> bool:
    return name.endswith(("_total", "_bucket", "_count", "_sum"))


@pytest.fixture(scope="module")
def scrape(live: Product) -> Iterator[Callable[[], str]]:
    """The text of /metrics, each time over a new connection and so from any of the web's processes."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith((*NOT_INHERITED, "DJANGO_"))
    }
    variables = {"DJANGO_SUPERUSER_EMAIL": EMAIL, "DJANGO_SUPERUSER_PASSWORD": SECRET, "DATA_DIR": str(live.data_dir)}
    command = [sys.executable, "manage.py", "ensure_operator"]
    subprocess.run(command, env=environment | variables, cwd=BASE_DIR, check=True, capture_output=True)
    answer = httpx.post(f"{live.url}/api/v1/auth/login", json={"email": EMAIL, "password": SECRET}, timeout=30)
    token = answer.json()["access_token"]

    def text() -> str:
        answer = httpx.get(f"{live.url}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=30)
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain"), answer.text
        return answer.text

    yield text


def of_route(text: str) -> float:
    """How many requests of the test's own route were counted."""
    route_labels = {("method", "GET"), ("view", "/openapi.json")}
    return sum(
        value
        for (name, labels), value in samples(text).items()
        if name == "django_http_requests_latency_seconds_by_view_method_count" and route_labels <= set(labels)
    )


def wait_until(condition: Callable[[], bool], reason: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, reason
        time.sleep(0.1)


def ask(live: Product, times: int) -> None:
    """So many requests, each over a connection of its own."""
    for _ in range(times):
        assert httpx.get(f"{live.url}/openapi.json", timeout=30).status_code == 200


@needs_promtool
def test_promtool_finds_no_fault_with_any_line(scrape: Callable[[], str]) -> None:
    assert complaints(scrape()) == []


def test_whoever_answers_tells_the_same_total_and_it_only_grows(live: Product, scrape: Callable[[], str]) -> None:
    before = of_route(scrape())
    ask(live, 20)
    wait_until(lambda: of_route(scrape()) == before + 20, "all requests are counted, whichever process had them")
    scrapes = [samples(scrape()) for _ in range(12)]
    assert {of_route(scrape()) for _ in range(12)} == {before + 20}
    for earlier, later in zip(scrapes, scrapes[1:], strict=False):
        decreased = {
            one: (value, later.get(one)) for one, value in earlier.items() if grows(one[0]) and value > later[one]
        }
        assert not decreased


def test_what_a_killed_process_has_counted_stays(live: Product, scrape: Callable[[], str]) -> None:
    before = of_route(scrape())
    ask(live, 10)
    wait_until(lambda: of_route(scrape()) == before + 10, "all requests are counted")
    web = [one for one in psutil.Process(live.pid_of("web")).children() if "resource_tracker" not in str(one.cmdline())]
    assert len(web) == 2
    web[0].kill()
    wait_until(
        lambda: psutil.Process(live.pid_of("web")).children() != [] and of_route(scrape()) == before + 10, "it stays"
    )
    ask(live, 5)
    wait_until(lambda: of_route(scrape()) == before + 15, "the new process counts on")


def test_it_shows_runs_queue_engines_claims_journal_and_tasks(live: Product, scrape: Callable[[], str]) -> None:
    def scrape_samples() -> Samples:
        return samples(scrape())

    wait_until(lambda: scrape_samples()["regente_processes", (("kind", "engine"),)] == 2, "two engines report")
    current = scrape_samples()
    names = {name for name, _ in current}
    assert names >= {
        "regente_runs", "regente_runs_ended_total", "regente_queue_depth", "regente_queue_oldest_wait_seconds",
        "regente_engines", "regente_engine_slots", "regente_engine_runs", "regente_claim_seconds_count",
        "regente_claimed_runs_total", "regente_journal_batch_entries_bucket", "regente_journal_commit_seconds_sum",
        "regente_resident_memory_bytes", "regente_tasks_down",
        "django_http_requests_latency_seconds_by_view_method_bucket",
    }  # fmt: skip
    assert "# TYPE regente_model_call_seconds histogram" in scrape()
    assert "# TYPE regente_task_restarts_total counter" in scrape()
    assert current["regente_engines", (("state", "claiming"),)] == 2
    assert current["regente_engine_slots", (("state", "claiming"),)] == 1000
    assert current["regente_processes", (("kind", "web"),)] == 2


# ---- in this process


@pytest.mark.django_db
def test_no_label_is_what_a_client_or_tenant_names(tenant: Tenant) -> None:
    client = log_in(User.objects.create_superuser("root@example.com", PASSWORD))
    for path in ("/api/v1/runs/no-such-run", "/no/such/path-42", "/api/v1/runs/8f3c1f8e-0000-4000-8000-000000000000"):
        client.get(path)
    Client().generic("BREW", "/api/v1/runs")
    text = client.get("/metrics").content.decode()
    assert "no-such-run" not in text and "path-42" not in text and "8f3c1f8e" not in text and "BREW" not in text
    assert tenant.pk not in text


@needs_promtool
@pytest.mark.django_db
def test_of_a_tenants_text_promtool_dislikes_only_names_of_the_contract(tenant: Tenant, agent_runs: None) -> None:
    text = log_in(make_user(tenant, role="admin")).get("/api/v1/metrics", {"format": "prometheus"}).content.decode()
    assert {line.split()[0] for line in complaints(text)} <= CONTRACT_NAMES


@pytest.mark.django_db
def test_a_total_and_its_parts_never_share_a_name(tenant: Tenant, agent_runs: None) -> None:
    client: APIClient = log_in(make_user(tenant, role="admin"))
    text = client.get("/api/v1/metrics", {"format": "prometheus"}).content.decode()
    labels: dict[str, set[frozenset[str]]] = {}
    for (name, of_sample), _ in samples(text).items():
        labels.setdefault(name, set()).add(frozenset(label for label, _ in of_sample))
    assert all(len(sets) == 1 for sets in labels.values()), labels
    totals = {line.split()[0].partition("{")[0] for line in text.splitlines() if not line.startswith("#")}
    assert {"runs_total", "runs_by_status_total", "errors_total", "errors_by_type_total"} <= totals
    assert len(re.findall(r"^runs_total\{", text, re.M)) == 1


@pytest.fixture
def agent_runs(tenant: Tenant) -> None:
    """Some work of the tenant's, rolled up."""
    for status in ("completed", "failed", "cancelled"):
        ended_run(tenant, status)
