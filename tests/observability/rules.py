"""What the tests of alerts say often."""

from typing import Any

from rest_framework.test import APIClient

from accounts.models import Tenant
from orchestration.models import Run, RunEvent

CONFIGS, HISTORY = "/api/v1/alerts/configs", "/api/v1/alerts/history"


def make_rule(
    client: APIClient, rule_type: str, threshold: float, *channels: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """The new rule."""
    config = {"threshold": threshold} | more.pop("rule_config", {})
    body = {"name": "Rule", "rule_type": rule_type, "rule_config": config, "channels": list(channels), **more}
    answer = client.post(CONFIGS, body, format="json")
    assert answer.status_code == 201, answer.content
    rule: dict[str, Any] = answer.json()
    return rule


def check(client: APIClient) -> list[dict[str, Any]]:
    """The alerts that a check has fired."""
    answer = client.post("/api/v1/alerts/check")
    assert answer.status_code == 200, answer.content
    alerts: list[dict[str, Any]] = answer.json()["fired"]
    return alerts


def run_that(status: str, tenant: Tenant, **fields: Any) -> Run:
    """A run that ended so."""
    result = {"error": "The pump is dry.", "error_type": "PumpError"} if status == "failed" else {}
    defaults = {"kind": "workflow", "subject_id": "w1", "status": status, "result": result, "failure_reason": "error"}
    return Run.all_tenants.create(tenant=tenant, **defaults | fields)


def overrun(tenant: Tenant) -> RunEvent:
    """A budget that a run has exceeded."""
    run = run_that("failed", tenant, failure_reason="budget_exceeded")
    payload = {"type": "cost_exceeded", "message": "The run may cost 1 cent."}
    return RunEvent.all_tenants.create(
        tenant=tenant, run=run, seq=1, kind="budget_exceeded", payload=payload, ts=run.created_at
    )
