"""A workflow's input_schema: the input of each run is coerced to it at its start, or refused naming the field."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from accounts.models import Tenant
from governance.models import Policy
from orchestration.models import App, Run, Workflow
from tests.factories import log_in, make_tenant, make_user, make_workflow
from tests.orchestration.running import ended, start

SCHEMA = {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}
NODE = {"id": "only", "type": "transform", "config": {"output": "$input"}}


def flow(tenant: Tenant, schema: Any = SCHEMA) -> Workflow:
    """A workflow that answers its input."""
    from orchestration.workflows.definition.workflow_versions import create_workflow

    definition = {"nodes": [NODE], "edges": [], "input_schema": schema}
    return create_workflow(tenant.pk, {"name": "flow", "type": "graph", "definition": definition})


@pytest.fixture
def acme(transactional_db: None) -> Tenant:
    """A tenant whose rows other threads can see."""
    return make_tenant()


@pytest.fixture
def api(acme: Tenant) -> APIClient:
    """A developer of acme."""
    return log_in(make_user(acme, "developer"))


def path(workflow: Workflow, verb: str = "runs") -> str:
    """Where its runs are started."""
    return f"/api/v1/workflows/{workflow.pk}/{verb}"


@pytest.mark.parametrize("amount", ["70", " 70 ", 70.0, 70], ids=repr)
@pytest.mark.parametrize("verb", ["runs", "execute"])
def test_a_start_has_the_coerced_input(acme: Tenant, api: APIClient, verb: str, amount: Any) -> None:
    body = {"amount": amount} if verb == "execute" else {"input": {"amount": amount}}
    assert api.post(path(flow(acme), verb), body, format="json").status_code == 201
    assert Run.all_tenants.get().input == {"amount": 70}


@pytest.mark.parametrize("verb, body, field", [
    ("runs", {"input": {"amount": "much"}}, "input.amount"),
    ("runs", {"input": {}}, "input.amount"),
    ("runs", {}, "input.amount"),
    ("execute", {"amount": [1]}, "amount"),
])  # fmt: skip
def test_what_does_not_fit_is_refused_by_name_and_starts_nothing(
    acme: Tenant, api: APIClient, verb: str, body: Any, field: str
) -> None:
    refused = api.post(path(flow(acme), verb), body, format="json")
    assert refused.status_code == 400 and list(refused.json()["context"]["errors"]) == [field]
    assert not Run.all_tenants.exists()


def test_policies_judge_the_coerced_input(acme: Tenant, api: APIClient) -> None:
    workflow = flow(acme)
    rule = {"condition": {"input.amount": {"gte": 50}}, "effect": "deny"}
    Policy.all_tenants.create(tenant=acme, name="x", scope="workflow", scope_id=str(workflow.pk), rule_expr=rule)
    assert api.post(path(workflow), {"input": {"amount": "70"}}, format="json").status_code == 403
    assert api.post(path(workflow), {"input": {"amount": "20"}}, format="json").status_code == 201


def test_a_repeated_start_is_answered_whatever_the_schema_is_by_then(acme: Tenant, api: APIClient) -> None:
    workflow, key = flow(acme), {"Idempotency-Key": "once"}
    first = api.post(path(workflow), {"input": {"amount": "7"}}, format="json", headers=key)
    definition = {"nodes": [NODE], "edges": [], "input_schema": {"type": "object", "required": ["other"]}}
    assert api.put(f"/api/v1/workflows/{workflow.pk}", {"definition": definition}, format="json").status_code == 200
    again = api.post(path(workflow), {"input": {"amount": "7"}}, format="json", headers=key)
    assert (first.status_code, again.json()["id"]) == (201, first.json()["id"])


@pytest.mark.parametrize("schema", [[], "text", {"type": "array"}, {"properties": {"a": {"type": "money"}}}], ids=repr)
def test_a_schema_that_cannot_be_used_is_not_saved(acme: Tenant, api: APIClient, schema: Any) -> None:
    definition = {"nodes": [NODE], "edges": [], "input_schema": schema}
    refused = api.post("/api/v1/workflows", {"name": "x", "definition": definition}, format="json")
    assert refused.status_code == 400 and "definition.input_schema" in refused.json()["context"]["errors"]
    assert not Workflow.all_tenants.exists()


def test_a_child_run_has_the_coerced_input(acme: Tenant, engine: Any) -> None:
    child = flow(acme)
    config = {"workflow_id": str(child.pk), "input": {"amount": "$input.amount"}}
    parent = make_workflow(acme, {"id": "sub", "type": "subworkflow", "config": config})

    def result(amount: Any) -> Run:
        return ended(start(acme, "workflow", {"amount": amount}, subject_id=str(parent.pk), subject_version=1))

    assert result("70").result == {"amount": 70}
    failed = result("much")
    assert (failed.status, failed.result["error_type"]) == ("failed", "VALIDATION_ERROR")
    assert "input.amount" in failed.result["error"]


def test_an_apps_action_has_the_coerced_input(acme: Tenant, api: APIClient) -> None:
    App.all_tenants.create(
        tenant=acme, key="shop", name="Shop",
        workflows=[{"alias": "pay", "label": "Pay", "workflow_id": str(flow(acme).pk), "default_mode": "auto"}],
        actions=[{"id": "go", "label": "Go", "workflow_alias": "pay", "input_mapping": {"amount": "$event.amount"}}],
    )  # fmt: skip
    called = api.post("/api/v1/apps/shop/actions/go", {"event": {"amount": "70"}, "context": {}}, format="json")
    assert called.status_code == 201 and Run.all_tenants.get().input == {"amount": 70}
    refused = api.post("/api/v1/apps/shop/actions/go", {"event": {"amount": "much"}, "context": {}}, format="json")
    assert refused.status_code == 400 and "input.amount" in refused.json()["context"]["errors"]


def test_the_command_has_the_coerced_input(acme: Tenant, tmp_path: Path) -> None:
    workflow, file = flow(acme), tmp_path / "input.json"
    file.write_text(json.dumps({"amount": "70"}))
    options = {"tenant": acme.pk, "input": file, "detach": True, "stdout": StringIO()}
    call_command("run_workflow", str(workflow.pk), **options)
    assert Run.all_tenants.get().input == {"amount": 70}
    file.write_text(json.dumps({"amount": "much"}))
    with pytest.raises(CommandError, match="input.amount"):
        call_command("run_workflow", str(workflow.pk), **options)
