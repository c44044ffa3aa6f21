"""GET /metrics over real runs: what the engine did is what the numbers say, in each of the three forms."""

import re
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rest_framework.test import APIClient

from accounts.models import Tenant
from agents.models import Agent
from governance.models import Policy
from observability.metrics.metrics_json import enhanced_json
from observability.serializers.metrics import EMPTY
from orchestration.models import Mode, Run, Status
from tests.factories import log_in, make_agent, make_tenant, make_user, make_workflow
from tests.model_server import ModelServer
from tests.orchestration.running import ended, reached, start

METRICS = "/api/v1/metrics"
pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def boss(acme: Tenant, gateway: ModelServer) -> APIClient:
    """A developer of the tenant."""
    return log_in(make_user(acme, "developer"))


@pytest.fixture
def agent(acme: Tenant) -> Agent:
    """An agent whose model takes 60 ms."""
    profile = {"provider": "openai", "model": "gpt-4o"}
    return make_agent(acme, instructions="<<delay: 60>> <<say: fine>>", model_profile=profile)


def run(acme: Tenant, *nodes: dict[str, Any], **more: Any) -> Run:
    """A finished run of these nodes."""
    flow = make_workflow(acme, *nodes)
    return ended(start(acme, "workflow", {}, subject_id=str(flow.pk), subject_version=flow.revision, **more))


def node(type: str, id: str = "a", **config: Any) -> dict[str, Any]:
    """A node."""
    return {"id": id, "type": type, "config": config}


def metrics(client: APIClient, **query: str) -> dict[str, Any]:
    """The answer."""
    answer = client.get(METRICS, query)
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    return body


def keys(body: dict[str, Any]) -> dict[str, set[str]]:
    """Section → its keys."""
    return {section: set(part) for section, part in body.items() if isinstance(part, dict)}


def test_runs_calls_and_tools_are_counted(boss: APIClient, acme: Tenant, agent: Agent) -> None:
    flow = run(acme, node("agent", agent_id=agent.key), calls_limit=9, app_id="desk", app_action_id="go").subject_id
    run(acme, node("tool_node", tool_id="ticketing.list_open"))
    run(acme, node("tool_node", tool_id="http.request", input={"url": "nowhere"}), mode=Mode.DRAFT)
    body = metrics(boss)
    assert keys(body) == keys(enhanced_json(EMPTY))
    runs, llm, tools = body["runs"], body["llm"], body["tools"]
    assert (runs["total"], runs["by_status"]) == (3, {"completed": 2, "failed": 1})
    assert (runs["completed_today"], runs["failed_today"]) == (2, 1)
    assert runs["success_rate"] == pytest.approx(2 / 3, abs=1e-5)
    assert (runs["by_mode"], runs["by_app"], runs["by_workflow"][flow]) == ({"auto": 2, "draft": 1}, {"desk": 1}, 1)
    assert runs["throughput_per_hour"] + 0.005 >= 3 / 24 and runs["throughput_per_hour"] <= 3 / 23 + 0.005
    assert (llm["calls_total"], llm["by_model"], llm["by_agent"]) == (1, {"gpt-4o": 1}, {agent.key: 1})
    [run_row] = Run.all_tenants.filter(llm_calls=1)
    assert (llm["tokens_prompt_total"], llm["tokens_completion_total"]) == (
        run_row.prompt_tokens,
        run_row.completion_tokens,
    )
    assert llm["cost_cents_total"] == pytest.approx(run_row.cost_micro / 10_000) == llm["cost_cents_today"] > 0
    assert 60 <= llm["latency_p50_ms"] <= llm["latency_p95_ms"] <= llm["latency_p99_ms"] <= llm["avg_latency_ms"] * 1.05
    assert tools["by_tool"] == {"http.request": 1, "ticketing.list_open": 1} and tools["error_rate"] == 0.5
    assert tools["by_risk_level"]["low"] == 1 and sum(tools["by_risk_level"].values()) == tools["calls_total"] == 2
    assert body["budgets"]["runs_with_budget"] == 1
    assert body["budgets"]["avg_cost_per_run_cents"] == pytest.approx(run_row.cost_micro / 2 / 10_000, abs=1e-4)
    assert body["agents"]["active_agents"] == body["agents"]["total_agents"] == 1
    assert body["apps"] == {"total_apps": 0, "active_apps": 0, "runs_by_app": {"desk": 1}}  # which is no more
    assert body["workflows"]["total_workflows"] == body["workflows"]["active_workflows"] == 3
    assert body["performance"]["steps_per_run_avg"] > 0
    assert metrics(boss)["runs"] == runs


def test_failures_are_errors_by_type_and_severity(boss: APIClient, acme: Tenant, agent: Agent) -> None:
    failing_agent = make_agent(acme, "agent.broken", instructions="<<status: 400>>")
    run(acme, node("agent", agent_id=failing_agent.key))
    run(acme, node("agent", "one", agent_id=agent.key), node("agent", "two", agent_id=agent.key), calls_limit=1)
    body = metrics(boss)
    assert body["errors"]["by_type"] == {"AGENT_EXECUTION_ERROR": 2, "BUDGET_EXCEEDED": 1}
    assert body["errors"]["by_severity"] == {"low": 0, "medium": 2, "high": 1}
    assert (body["errors"]["total"], body["errors"]["error_rate"]) == (3, 0.75)
    assert body["llm"]["error_rate"] == 0.5
    assert body["budgets"]["by_type"] == {"cost_exceeded": 0, "llm_calls_exceeded": 1, "latency_exceeded": 0}
    assert body["budgets"]["budget_exceeded_today"] == 1


def test_a_run_that_waits_counts_as_it_stands(boss: APIClient, acme: Tenant) -> None:
    flow = make_workflow(acme, node("human_gate", message="Sure?"))
    run_row = start(acme, "workflow", {}, subject_id=str(flow.pk), subject_version=flow.revision)
    reached(run_row, Status.PAUSED)
    body = metrics(boss)["runs"]
    assert (body["total"], body["by_status"], body["paused_today"]) == (1, {"paused": 1}, 1)
    boss.post(f"/api/v1/runs/{run_row.pk}/cancel")
    body = metrics(boss)["runs"]
    assert (body["total"], body["by_status"]) == (1, {"cancelled": 1})


def test_decisions_are_counted_by_result_and_scope(boss: APIClient, acme: Tenant) -> None:
    flow = make_workflow(acme)
    rule = {"condition": {}, "effect": "deny"}
    Policy.all_tenants.create(
        tenant=acme, name="No", scope="workflow", scope_id=str(flow.pk), rule_expr=rule, priority=1
    )
    assert boss.post(f"/api/v1/workflows/{flow.pk}/runs", {"input": {}}, format="json").status_code == 403
    run(acme, node("tool_node", tool_id="ticketing.list_open"))
    body = metrics(boss)["policies"]
    assert (body["denials_total"], body["approvals_total"], body["evaluations_today"]) == (1, 2, 3)
    assert body["by_scope"] == {"workflow": 2, "tool": 1} and body["denial_rate"] == pytest.approx(1 / 3, abs=1e-5)


def test_memories_and_what_is_done_with_them(boss: APIClient, acme: Tenant) -> None:
    memory = {"owner_type": "tenant", "owner_id": acme.pk, "type": "long_term", "content": "The pool opens at eight."}
    run(acme, node("tool_node", tool_id="memory.store", input=memory))
    body = metrics(boss)["memory"]
    assert (body["items_total"], body["items_by_type"], body["items_by_owner"]) == (1, {"long_term": 1}, {"tenant": 1})
    assert body["operations_today"] == {"store": 1, "retrieve": 0, "search": 0, "delete": 0}


def test_requests_are_counted_and_those_refused_by_kind(boss: APIClient, settings: Any) -> None:
    before = metrics(boss)["rate_limiting"]["hits_total"]
    settings.RATE_LIMIT_USER = 1
    assert boss.get(METRICS).status_code == 429
    settings.RATE_LIMIT_USER = 1000
    body = metrics(boss)["rate_limiting"]
    assert (body["hits_total"], body["blocks_total"], body["blocks_today"]) == (before + 1, 1, 1)
    assert body["by_type"] == {"user": 1} and body["block_rate"] == pytest.approx(1 / (before + 2), abs=1e-5)


def test_what_was_counted_stays_while_redis_is_away(boss: APIClient, settings: Any) -> None:
    before = metrics(boss)["rate_limiting"]
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    assert metrics(boss)["rate_limiting"] == before


def test_the_older_form_says_the_same_in_fewer_words(boss: APIClient, acme: Tenant, agent: Agent) -> None:
    run(acme, node("agent", agent_id=agent.key))
    whole, older = metrics(boss), metrics(boss, enhanced="false")
    assert set(older) == {"timestamp", "runs", "llm", "tools", "policies", "memory", "errors", "performance"}
    assert older["memory"]["operations_today"] == 0
    for section in ("runs", "llm", "tools", "policies", "errors", "performance"):
        assert older[section].items() <= whole[section].items()


def test_prometheus_can_scrape_it(boss: APIClient, acme: Tenant, agent: Agent) -> None:
    run(acme, node("agent", agent_id=agent.key))
    answer = boss.get(METRICS, {"format": "prometheus"})
    assert answer["Content-Type"].startswith("text/plain")
    samples = {
        (one.name, *sorted(one.labels.items())): one.value
        for family in text_string_to_metric_families(answer.content.decode())
        for one in family.samples
    }
    whole, own = metrics(boss), ("tenant", "acme")
    assert samples["runs_now", own] == 0
    assert samples["runs_total", own] == samples["runs_by_status_total", ("status", "completed"), own] == 1
    assert samples["llm_calls_by_model_total", ("model", "gpt-4o"), own] == 1
    assert samples["llm_latency_ms", ("percentile", "p95"), own] == whole["llm"]["latency_p95_ms"]
    assert samples["step_duration_ms", ("percentile", "avg"), own] == whole["performance"]["avg_step_duration_ms"]
    assert re.search(r"^# TYPE memory_items_total gauge$", answer.content.decode(), re.M)


def test_whose_numbers_they_are(boss: APIClient, acme: Tenant) -> None:
    other = make_tenant()
    run(acme, node("static", output={}))
    stranger = log_in(make_user(other, "admin"))
    assert metrics(stranger)["runs"]["total"] == 0
    assert stranger.get(METRICS, {"tenant_id": "acme"}).status_code == 403
    operator = log_in(make_user(other, "admin", is_staff=True))
    assert metrics(operator)["runs"]["total"] == metrics(operator, tenant_id="acme")["runs"]["total"] == 1
    assert metrics(operator, tenant_id=other.pk)["runs"]["total"] == 0
    assert 'runs_total{tenant="all"} 1.0' in operator.get(METRICS, {"format": "prometheus"}).content.decode()
    assert operator.get(METRICS, {"tenant_id": "nobody"}).status_code == 404


def test_bad_questions(boss: APIClient) -> None:
    answer = boss.get(METRICS, {"format": "xml"})
    assert answer.status_code == 400 and "format" in answer.json()["message"] and "prometheus" in str(answer.json())
    assert APIClient().get(METRICS).status_code == 401
    assert boss.delete(METRICS).status_code == 405
