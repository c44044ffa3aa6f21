"""Every route and method, asked by everybody of another tenant for what is not theirs: all refused, nothing shown,
nothing changed. The routes come from the URL resolver; a new one with an id fails here until `owned` has such an id.
"""

import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from django.urls import URLPattern, get_resolver
from rest_framework.test import APIClient

from accounts.members import create_api_key, find_member, invite
from accounts.models import Tenant
from accounts.tenancy.isolation import tenant_tables
from agents.models import Agent, AgentJob, Conversation, ConversationTurn, Tool
from governance.models import AuditEntry, Budget, BudgetLimit, Policy, PolicyDecision, ProviderKey, TenantSecret
from memory.models import DataStore, File, FileVersion, MemoryEntry
from observability.alerts import channels
from observability.models import Alert, AlertConfig, Rollup
from orchestration.models import App, Approval, Change, Run, RunEvent, Signal, Step
from teams.models import ExecutionKeys, Team
from tests.factories import log_in, make_tenant, make_user, make_workflow

MARK = "foreign-marker"
METHODS = ("get", "post", "put", "patch", "delete")
REFUSED = {401, 403, 404}
NO_TENANT = re.compile(
    r"^(|healthz|health|readyz|metrics|docs|redoc|openapi\.json|api/v1|api/v1/healthz|admin.*"
    r"|api/v1/(system|observability)/health)$"
)
NO_LOGIN = {"api/v1/auth/register", "api/v1/auth/login", "api/v1/auth/refresh"}
BODIES = {  # what passes the checks that come before the look at the id
    "teams/{pk}/execute": {"initial_prompt": "x"},
    "execute": {},
    "events": {"name": "go"},
    "resume": {"approved": True},
    "decide": {"approved": True},
    "conversation": {"message": "hello"},
    "actions": {"context": {}, "event": {}},
}


class Route(NamedTuple):
    """A path with its ids in braces, and a method of it."""

    path: str
    method: str


def routes() -> Iterator[Route]:
    """All of ours that have to do with tenants."""
    for path, view in walked(get_resolver().url_patterns):
        plain = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", path).replace("/?$", "").replace("^", "").replace("\\", "")
        if NO_TENANT.match(plain.strip("/$")) or plain in NO_LOGIN:
            continue
        cls = getattr(view, "cls", None)
        assert cls is not None, f"{plain}: a view that is not one of the API's"
        actions = getattr(view, "actions", None) or {name for name in METHODS if hasattr(cls, name)}
        yield from (Route(plain, method) for method in METHODS if method in actions)


def walked(patterns: list[Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """(pattern, view) of every URL."""
    for one in patterns:
        path = before + str(one.pattern)
        if isinstance(one, URLPattern):
            if path:
                yield path, one.callback
        else:
            yield from walked(one.url_patterns, path)


@pytest.fixture
def owned() -> dict[str, str]:
    """A row of everything for a tenant; {the part of the path before an id: the id}."""
    tenant = make_tenant(name=MARK)
    of: dict[str, Any] = {"tenant": tenant}
    user = make_user(tenant, "admin", name=MARK)
    member = find_member(tenant, user.pk)
    key, _ = create_api_key(member, MARK, ["read"])
    invite(tenant, user, "user", f"{MARK}@example.com", expires_in=timedelta(days=7))
    agent = Agent.all_tenants.create(**of, key=f"agent.{MARK}", name=MARK, instructions=MARK)
    tool = Tool.all_tenants.create(**of, key=f"tool.{MARK}", name=MARK, handler_config={"url": "http://127.0.0.1:9"})
    flow = make_workflow(tenant, name=MARK)
    run = Run.all_tenants.create(
        **of, kind="workflow", subject_id=str(flow.pk), subject_version=1, status="paused", input={"x": MARK}
    )
    Step.all_tenants.create(
        **of, run=run, name=MARK, position=0, node_id=MARK, type="static", status="completed", started_at=run.created_at
    )
    RunEvent.all_tenants.create(**of, run=run, seq=1, kind="error", payload={"x": MARK}, ts=run.created_at)
    Signal.all_tenants.create(**of, run_id=run.pk, name=MARK, payload={})
    approval = Approval.all_tenants.create(**of, run=run, step=MARK, node_id=MARK, message=MARK)
    told = {"arguments": {"x": MARK}, "target": MARK, "kind": "http", "tool_id": MARK}
    Change.all_tenants.create(**of, id=uuid.uuid4(), run=run, position=1, step=MARK, **told)
    app = {"workflows": [{"alias": "w", "label": "w", "workflow_id": str(flow.pk), "default_mode": "auto"}]}
    app |= {"actions": [{"id": MARK, "label": "a", "workflow_alias": "w", "input_mapping": {}}]}
    App.all_tenants.create(**of, key=f"app.{MARK}", name=MARK, **app)
    rule = {"condition": {"x": MARK}, "effect": "deny"}
    policy = Policy.all_tenants.create(**of, name=MARK, scope="tenant", rule_expr=rule, enabled=False)
    PolicyDecision.all_tenants.create(**of, action="run_start", result="allowed", explanation=MARK, context={})
    AuditEntry.all_tenants.create(**of, action=MARK, resource_type=MARK)
    limit = BudgetLimit.all_tenants.create(**of, scope="user", scope_id=MARK, period="day", calls_limit=1)
    Budget.all_tenants.create(**of, scope="run", scope_id=MARK, calls_limit=1)
    ProviderKey.all_tenants.create(**of, user_id=user.pk, service_name=MARK, sealed="x", description=MARK)
    TenantSecret.all_tenants.create(**of, key=MARK, sealed="x", description=MARK)
    kept = {"mime_type": "text/plain", "size": 1, "sha256": "x"}
    file = File.all_tenants.create(**of, path=f"{MARK}.txt", run_id=run.pk, app_id=f"app.{MARK}", **kept)
    FileVersion.all_tenants.create(**of, file=file, number=1, blob=MARK, **kept)
    DataStore.all_tenants.create(**of, schema=f"data_{MARK}", reader=f"r_{MARK}", writer=f"w_{MARK}")
    MemoryEntry.all_tenants.create(**of, type="long_term", owner_type="tenant", owner_id=tenant.pk, content=MARK)
    talk = Conversation.all_tenants.create(**of, key=f"talk-{MARK}", user_id=user.pk, agent_key=agent.key, title=MARK)
    ConversationTurn.all_tenants.create(**of, conversation=talk, number=1, run_id=run.pk)
    definition = {"type": "sequential", "agents": [{"agent_id": agent.key, "execution_order": 1}]}
    team = Team.all_tenants.create(**of, name=MARK, agent_ids=[agent.key], workflow_definition=definition)
    asked = {"initial_prompt": MARK, "workflow_definition": definition}
    execution = Run.all_tenants.create(**of, kind="team", subject_id=str(team.pk), input=asked, status="running")
    ExecutionKeys.all_tenants.create(**of, run_id=execution.pk, sealed="x")
    job = Run.all_tenants.create(**of, kind="agent_job", subject_id="dummy", input={"x": MARK}, status="pending")
    AgentJob.all_tenants.create(**of, run_id=job.pk, related_type=MARK, callback_url=f"http://{MARK}.invalid")
    watch = {"name": MARK, "rule_type": "rate_limit", "sealed": channels.encrypt_channels([])}
    rule_row = AlertConfig.all_tenants.create(**of, rule_config={"threshold": 10**6}, **watch)
    Rollup.all_tenants.create(**of, measure="run.app", label=MARK, hour=run.created_at, n=1, total=0)
    value = {"value": 1, "threshold": 0, "operator": "gt", "window_minutes": 5, "count": 1}
    alert = Alert.all_tenants.create(
        **of, number=1, alert_config_id=rule_row.pk, value=value, message=MARK, triggered_at=run.created_at, **watch
    )
    task = Run.all_tenants.create(**of, kind="task", input={"objective": MARK}, status="completed")
    return {
        "alerts/configs": str(rule_row.pk),
        "alerts/history": str(alert.pk),
        "jobs": str(job.pk),
        "tasks": str(task.pk),
        "teams": str(team.pk),
        "executions": str(execution.pk),
        "auth/api-keys": str(key.pk),
        "auth/users": str(user.pk),
        "policies": str(policy.pk),
        "budgets": str(limit.pk),
        "api-keys": MARK,
        "workflows": str(flow.pk),
        "apps": f"app.{MARK}",
        "actions": MARK,
        "approvals": str(approval.pk),
        "runs": str(run.pk),
        "files": str(file.pk),
        "files/apps": f"app.{MARK}",
        "files/runs": str(run.pk),
        "data/tables": MARK.replace("-", "_"),
        "agents": agent.key,
        "conversations": talk.key,
        "tools": tool.key,
        "programs": "kind.of_nobody",  # programs belong to the installation; only those of plug-ins are found here
        "": tenant.pk,
    }


def filled(path: str, owned: dict[str, str]) -> str:
    """The path with the owner's ids; KeyError for an id that nobody has named an owner of."""

    def id_of(match: re.Match[str]) -> str:
        parts = match.group(1).removeprefix("api/v1/").removeprefix("api/ai/").strip("/").split("/")
        whole, last = "/".join(parts[-2:]), parts[-1]
        return f"{match.group(1)}{owned[whole] if whole in owned else owned[last]}"

    while "{" in path:
        path = re.sub(r"^([^{]*){\w+}", id_of, path, count=1)
    return f"/{path}"


def strangers(tenant: Tenant) -> dict[str, APIClient]:
    """Everybody of another tenant, and nobody."""
    clients = {role: log_in(make_user(tenant, role)) for role in ("user", "developer", "admin")}
    boss = find_member(tenant, make_user(tenant, "admin").pk)
    clients["read-only key"] = APIClient()
    clients["read-only key"].credentials(HTTP_X_API_KEY=create_api_key(boss, "k", ["read"])[1])
    clients["nobody"] = APIClient()
    clients["nobody"].credentials(HTTP_X_FORWARDED_FOR="203.0.113.9")  # who sits at this machine may use /tasks
    return clients


def asked(client: APIClient, route: Route, path: str, body: Any, **more: str) -> tuple[int, str]:
    """(status, body) of the answer."""
    given = {} if route.method == "get" else {"data": body, "format": "json"}
    answer = getattr(client, route.method)(path, **given, **more)
    text = b"" if answer.streaming else answer.content
    return answer.status_code, text.decode()


def rows_of(tenant_id: str) -> dict[str, list[Any]]:
    """All that the tenant has."""
    return {
        model._meta.db_table: list(model.all_tenants.filter(tenant_id=tenant_id).order_by("pk").values())
        for model in tenant_tables()
    }


def test_every_table_has_a_row_to_be_guarded(db: None, owned: dict[str, str]) -> None:
    unseen = {"orchestration_workflowversion", "memory_memorychunk", "governance_hold", "governance_auditseal"}
    empty = {name for name, rows in rows_of(owned[""]).items() if not rows}
    assert empty <= unseen


def test_what_is_another_tenants_cannot_be_reached_by_its_id(tenant: Tenant, owned: dict[str, str]) -> None:
    before, wrong = rows_of(owned[""]), []
    for name, client in strangers(tenant).items():
        for route in [one for one in routes() if "{" in one.path]:
            body = next((given for part, given in BODIES.items() if f"/{part}" in route.path), {})
            status, text = asked(client, route, filled(route.path, owned), body)
            nothing_found = status == 200 and text == "[]" and name != "nobody"
            if not (status in REFUSED or nothing_found):
                wrong.append((name, *route, status, text[:200]))
    assert wrong == []
    assert rows_of(owned[""]) == before


def test_no_list_shows_what_is_another_tenants(tenant: Tenant, owned: dict[str, str]) -> None:
    wrong = []
    for name, client in strangers(tenant).items():
        for route in [one for one in routes() if "{" not in one.path and one.method == "get"]:
            for query in ("", "?limit=1000&scope=run", f"?search={MARK}", f"?user_id={uuid.uuid4()}"):
                status, text = asked(client, route, f"/{route.path}{query}", None)
                if (
                    status not in REFUSED | {200, 400, 422}
                    or MARK in text.replace(query, "")
                    or (name == "nobody" and status != 401)
                ):
                    wrong.append((name, *route, query, status, text[:200]))
    assert wrong == []


def test_nobody_gets_into_another_tenant_by_naming_it(tenant: Tenant, owned: dict[str, str]) -> None:
    before, wrong = rows_of(owned[""]), []
    for name, client in strangers(tenant).items():
        for route in routes():
            path = filled(route.path, owned)
            named = [(path, {}, {"HTTP_X_TENANT_ID": owned[""]}), (f"{path}?tenant_id={owned['']}", {}, {})]
            named.append((f"{path}?tenant_id={owned['']}&tenant_id={tenant.pk}", {}, {}))
            if route.method in ("post", "put", "patch") and not path.endswith("/execute"):
                named.append((path, {"tenant_id": owned[""]}, {}))
            for url, body, headers in named:
                status, text = asked(client, route, url, body, **headers)
                if status not in REFUSED:
                    wrong.append((name, *route, status, text[:200]))
    assert wrong == []
    assert rows_of(owned[""]) == before


def test_nothing_of_ones_own_is_deleted_in_another_tenants_name(tenant: Tenant, owned: dict[str, str]) -> None:
    boss = log_in(make_user(tenant, "admin"))
    workflow = make_workflow(tenant)
    path = f"/api/v1/workflows/{workflow.pk}"
    assert boss.delete(path, {"tenant_id": owned[""]}, format="json").status_code == 403
    assert boss.get(path).status_code == 200
    assert boss.delete(path, {"tenant_id": tenant.pk}, format="json").status_code in (200, 204)


def test_a_read_only_key_changes_nothing_of_its_own_tenant(tenant: Tenant, owned: dict[str, str]) -> None:
    client = strangers(tenant)["read-only key"]
    for route in routes():
        if route.method != "get":
            status, _ = asked(client, route, filled(route.path, owned), {})
            assert status == 403, (route, status)


def test_a_new_route_with_an_id_must_be_named_here() -> None:
    with pytest.raises(KeyError):
        filled("api/v1/planets/{id}", {})
