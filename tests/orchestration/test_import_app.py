"""Apps: manifests in both forms, actions that start runs, scopes at the tools."""

from typing import TYPE_CHECKING, Any

import pytest

from orchestration.manifests.apps import map_input
from orchestration.models import App, Run
from tests.factories import log_in, make_user, make_workflow
from tests.orchestration.running import ended

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from accounts.models import Tenant

URL = "/api/v1/apps"


def manifest(flow: Any, **more: Any) -> dict[str, Any]:
    """The contract's own form."""
    return {
        "version": "1.0.0",
        "app": {"id": "tickets", "name": "Tickets", "visibility": "org"},
        "scopes": [{"scope_type": "tool", "scope_value": "ticketing.list_open"}],
        "workflows": [{"alias": "main", "label": "Main", "workflow_id": str(flow.pk), "default_mode": "auto"}],
        "actions": [{"action_id": "go", "workflow_alias": "main", "input_mapping": {"message": "$context.message"}}],
        **more,
    }


def imported(api: "APIClient", body: Any) -> Any:
    """The answer to an import."""
    return api.post(f"{URL}/import", body, format="json")


def test_both_forms_are_the_same_app(api: "APIClient", tenant: "Tenant") -> None:
    flow = make_workflow(tenant)
    first = imported(api, manifest(flow)).json()
    parts = {
        "scopes": {"tools": ["ticketing.list_open"]},
        "workflows": [{"id": "main", "workflow_ref": str(flow.pk), "label": "Main", "default_mode": "auto"}],
        "actions": [{"id": "go", "workflow_id": "main", "input_mapping": {"message": "$context.message"}}],
    }
    again = imported(
        api, {"version": "1.0.0", "app": {"id": "tickets", "name": "Tickets", "visibility": "org", **parts}}
    )
    assert again.status_code == 201 and App.all_tenants.count() == 1
    assert {k: v for k, v in again.json().items() if k != "updated_at"} == {
        k: v for k, v in first.items() if k != "updated_at"
    }


@pytest.mark.parametrize(
    "change,field",
    [
        ({"version": "2.0.0"}, "version"),
        ({"app": None}, "app"),
        ({"app": {"name": "x"}}, "app.id"),
        ({"app": {"id": "a/b", "name": "x"}}, "app.id"),
        ({"scopes": [{"scope_type": "tool", "scope_value": "ghost"}]}, "scopes"),
        ({"scopes": [{"scope_type": "wish", "scope_value": "x"}]}, "scopes[0].scope_type"),
        ({"scopes": ["x"]}, "scopes[0]"),
        ({"workflows": [{"alias": "main", "workflow_id": "ghost"}]}, "workflows"),
        ({"workflows": 5}, "workflows"),
        ({"actions": [{"action_id": "go", "workflow_alias": "ghost"}]}, "actions[0].workflow_alias"),
        ({"actions": [{"action_id": "go", "workflow_alias": "main", "input_mapping": []}]}, "actions[0].input_mapping"),
    ],
)
def test_a_wrong_manifest_is_refused_by_its_field(api: "APIClient", tenant: "Tenant", change: Any, field: str) -> None:
    answer = imported(api, manifest(make_workflow(tenant)) | change)
    assert answer.status_code == 400 and field in answer.json()["context"]["errors"], answer.content
    assert not App.all_tenants.exists()


TRIGGER = {
    "context": {"a": {"b": 1}, "only": "c"},
    "event": {"a": 2, "list": [{"x": 3}], "First name": "Ana", "último": 9},
}


@pytest.mark.parametrize(
    "value,expected",
    [
        ("$context.a.b", {"k": 1}),
        ("$event.list.0.x", {"k": 3}),
        ("$event.only", {"k": "c"}),
        ("$context.list", {"k": [{"x": 3}]}),
        ("$event", {"k": TRIGGER["event"]}),
        ("$context.none", {}),
        ("$contexts.a", {"k": "$contexts.a"}),
        ("$event.a-$context.a.b.csv", {"k": "2-1.csv"}),
        ("$event.only/$event.nowhere.", {"k": "c/."}),
        ("$event.First name", {"k": "Ana"}),
        ('$event["First name"]', {"k": "Ana"}),
        ("$event.a of $steps.x", {"k": "2 of $steps.x"}),
        ("at $event.a", {"k": "at $event.a"}),
        ("$5 $event.nowhere", {"k": "$5 $event.nowhere"}),
        ("$$event.a", {"k": "$$event.a"}),
        ("$event.último", {"k": 9}),
        ("$5", {"k": "$5"}),
        (7, {"k": 7}),
        ({"deep": "$context.a"}, {"k": {"deep": "$context.a"}}),
    ],
)
def test_inputs_are_mapped(value: Any, expected: Any) -> None:
    assert map_input({"k": value}, TRIGGER) == expected


def test_an_action_tells_of_references_that_lead_nowhere(api: "APIClient", tenant: "Tenant") -> None:
    mapping = {
        "a": "$event.nmae",
        "b": "$event.day-$event.month.csv",
        "c": "$event.First name",
        "d": "$5 $event.x",
        "e": 1,
    }
    action = {"action_id": "go", "label": "Go", "workflow_alias": "main", "input_mapping": mapping}
    assert imported(api, manifest(make_workflow(tenant)) | {"actions": [action]}).status_code == 201
    body = {"event": {"day": 7, "First name": "Ana"}, "context": {}}
    answer = api.post(f"{URL}/tickets/actions/go", body, format="json").json()
    assert answer["warnings"] == [
        "input_mapping.a: $event.nmae leads nowhere.",
        "input_mapping.b: $event.month.csv leads nowhere.",
    ]
    assert Run.all_tenants.get(pk=answer["run_id"]).input == {"b": "7-", "c": "Ana", "d": "$5 $event.x", "e": 1}


def test_an_action_starts_a_run_that_knows_its_app(api: "APIClient", tenant: "Tenant") -> None:
    imported(api, manifest(make_workflow(tenant)))
    user = log_in(make_user(tenant))
    body = {"event": {"message": "Hello"}, "context": {"user_id": "their-17", "mode": "draft"}}
    answer = user.post(f"{URL}/tickets/actions/go", body, format="json")
    assert answer.status_code == 201, answer.content
    run = Run.all_tenants.get(pk=answer.json()["run_id"])
    assert (run.input, run.mode, run.app_id, run.app_action_id) == ({"message": "Hello"}, "draft", "tickets", "go")
    assert run.on_behalf_of == "their-17" and run.trigger == {"event": body["event"], "context": body["context"]}


def test_scopes_hold_at_the_tools_and_nodes_read_the_event(engine: object, acme: "Tenant") -> None:
    api = log_in(make_user(acme, role="developer"))
    told = {"id": "tell", "type": "transform", "config": {"output": {"who": "$event.who"}}}
    listed = {"id": "list", "type": "tool", "config": {"tool_id": "ticketing.list_open", "input": {}}}
    stored = {"id": "store", "type": "tool", "config": {"tool_id": "memory.store", "input": {"content": "x"}}}
    for steps, scopes, status in (
        ([listed, told], ["ticketing.list_open"], "completed"),
        ([listed], [], "failed"),
        ([stored], ["ticketing.list_open"], "failed"),
    ):
        body = manifest(make_workflow(acme, *steps))
        body["scopes"] = [{"scope_type": "tool", "scope_value": scope} for scope in scopes]
        assert imported(api, body).status_code == 201
        answer = api.post(f"{URL}/tickets/actions/go", {"event": {"who": "Ana"}}, format="json")
        run = ended(Run.all_tenants.get(pk=answer.json()["run_id"]))
        assert run.status == status, run.result
        if status == "completed":
            assert run.result == {"who": "Ana"}
        else:
            assert "no scope for the tool" in run.result["error"]


def test_other_tenant_gets_404(api: "APIClient", tenant: "Tenant", other_tenant: "Tenant") -> None:
    imported(api, manifest(make_workflow(tenant)))
    stranger = log_in(make_user(other_tenant, role="admin"))
    paths = [f"{URL}/tickets", f"{URL}/tickets/actions", f"{URL}/tickets/scopes"]
    assert [stranger.get(path).status_code for path in paths] == [404] * 3
    assert stranger.post(f"{URL}/tickets/actions/go", {}, format="json").status_code == 404
    assert stranger.delete(f"{URL}/tickets").status_code == 404
    foreign = imported(stranger, manifest(make_workflow(tenant)))
    assert foreign.status_code == 400 and "workflows" in foreign.json()["context"]["errors"]


def test_a_user_neither_imports_nor_deletes(api: "APIClient", tenant: "Tenant") -> None:
    imported(api, manifest(make_workflow(tenant)))
    user = log_in(make_user(tenant))
    assert imported(user, manifest(make_workflow(tenant))).status_code == 403
    assert user.delete(f"{URL}/tickets").status_code == 403
    assert api.delete(f"{URL}/tickets").status_code == 200 and api.get(f"{URL}/tickets").status_code == 404
