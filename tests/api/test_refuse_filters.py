"""Filters of lists: a value that a filter cannot have is refused by name; other names are ignored."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import Tenant
from tests.factories import log_in, make_user, make_workflow

BAD = [
    ("/api/v1/runs", "status", "sleeping"),
    ("/api/v1/runs", "mode", "fast"),
    ("/api/v1/runs", "workflow_id", "x" * 65),
    ("/api/v1/runs", "kind", "a\0b"),
    ("/api/v1/runs", "page", "two"),
    ("/api/v1/runs", "limit", "1.5"),
    ("/api/v1/workflows", "page", "x"),
    ("/api/v1/agents", "offset", "x"),
    ("/api/v1/approvals", "filter", "theirs"),
    ("/api/v1/approvals", "run_id", "none"),
    ("/api/v1/policies", "scope", "planet"),
    ("/api/v1/policies", "enabled", "maybe"),
    ("/api/v1/policies", "shadow", "2"),
    ("/api/v1/policies/decisions", "result", "perhaps"),
    ("/api/v1/policies/decisions", "run_id", "none"),
    ("/api/v1/budgets", "scope", "planet"),
    ("/api/v1/audit/logs", "user_id", "me"),
    ("/api/v1/audit/logs", "start_date", "yesterday"),
    ("/api/v1/audit/export", "end_date", "2024-13-45"),
    ("/api/v1/alerts/history", "rule_type", "weather"),
    ("/api/v1/alerts/history", "resolved", "maybe"),
    ("/api/v1/teams", "active_only", "maybe"),
    ("/api/v1/executions", "team_id", "a\0b"),
    ("/api/v1/metrics", "format", "xml"),
    ("/api/ai/jobs", "status", "sleeping"),
    ("/api/ai/usage/monthly", "months", "0"),
    ("/tasks", "state", "sleeping"),
    ("/tasks", "limit", "0"),
    ("/tasks", "offset", "-1"),
]
LISTS = sorted({path for path, _, _ in BAD})


@pytest.fixture
def boss(tenant: Tenant) -> APIClient:
    """The tenant's admin, who may read all lists."""
    return log_in(make_user(tenant, "admin"))


def message(answer: Any) -> str:
    """The body of a refusal."""
    assert answer.status_code in (400, 422), answer.content
    return str(answer.json())


@pytest.mark.parametrize(("path", "name", "value"), BAD)
def test_a_bad_value_is_refused_by_name(boss: APIClient, path: str, name: str, value: str) -> None:
    assert name in message(boss.get(path, {name: value}))


@pytest.mark.parametrize(
    ("path", "query", "known"),
    [
        ("/api/v1/runs", {"status": "x"}, ("pending", "paused", "cancelled")),
        ("/api/v1/policies", {"scope": "x"}, ("global", "workflow")),
        ("/api/v1/policies", {"enabled": "x"}, ("true", "false")),
        ("/api/v1/policies/decisions", {"result": "x"}, ("allowed", "denied", "requires_approval")),
        ("/api/v1/budgets", {"scope": "x"}, ("tenant", "run")),
        ("/api/v1/teams", {"active_only": "x"}, ("true", "false")),
        ("/api/v1/alerts/history", {"resolved": "x"}, ("true", "false")),
        ("/api/ai/jobs", {"status": "x"}, ("succeeded", "timeout")),
    ],
)
def test_a_refusal_names_the_values_that_are_known(
    boss: APIClient, path: str, query: dict[str, str], known: tuple[str, ...]
) -> None:
    text = message(boss.get(path, query))
    assert all(value in text for value in known), text


@pytest.mark.parametrize("path", LISTS)
def test_a_name_that_a_list_does_not_know_changes_nothing(boss: APIClient, path: str) -> None:
    plain, more = boss.get(path), boss.get(path, {"_": "1700000000", "statuss": "failed", "no_such": "x"})
    assert (plain.status_code, more.status_code) == (200, 200)
    assert len(plain.content) == len(more.content)


def test_the_document_says_what_becomes_of_other_names() -> None:
    document = APIClient().get("/openapi.json").json()
    assert "does not list are ignored" in document["info"]["description"]


def test_the_filters_filter(boss: APIClient, tenant: Tenant) -> None:
    make_workflow(tenant)
    rule = {"condition": {"x": 1}, "effect": "deny"}
    for name, enabled in (("on", True), ("off", False)):
        body = {"name": name, "scope": "tenant", "rule_expr": rule, "enabled": enabled}
        assert boss.post("/api/v1/policies", body, format="json").status_code == 201
    names = [[one["name"] for one in boss.get("/api/v1/policies", {"enabled": value}).json()] for value in ("1", "no")]
    assert [name for name in names[0] if name in ("on", "off")] == ["on"]
    assert [name for name in names[1] if name in ("on", "off")] == ["off"]
