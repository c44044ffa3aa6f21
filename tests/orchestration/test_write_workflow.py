"""/api/v1/workflows: definitions are written by developers, read by members, and seen by nobody else."""

from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from accounts.login.tokens import access_token
from accounts.models import Membership, Tenant, User
from orchestration.models import Run, Workflow, WorkflowVersion
from tests.orchestration.definitions import edges, graph, node, static

PATH = "/api/v1/workflows"
pytestmark = pytest.mark.django_db


def client(tenant_id: str, role: str) -> APIClient:
    """A member of the tenant with this role."""
    tenant, _ = Tenant.objects.get_or_create(pk=tenant_id, defaults={"name": tenant_id})
    user = User.objects.create_user(f"{uuid4().hex}@example.com")
    member = Membership.all_tenants.create(user=user, tenant=tenant, role=role)
    made = APIClient()
    made.credentials(HTTP_AUTHORIZATION=f"Bearer {access_token(member)}")
    return made


@pytest.fixture()
def developer() -> APIClient:
    """A developer of the tenant acme."""
    return client("acme", "developer")


@pytest.fixture()
def user() -> APIClient:
    """A plain user of the tenant acme."""
    return client("acme", "user")


@pytest.fixture()
def stranger() -> APIClient:
    """An admin of another tenant."""
    return client("other", "admin")


def post(api: APIClient, path: str = PATH, body: Any = None, **headers: str) -> Any:
    """POST as JSON."""
    return api.post(path, {} if body is None else body, format="json", headers=headers)


def made(api: APIClient, **body: Any) -> dict[str, Any]:
    """A new workflow."""
    answer = post(api, body={"name": "flow", "definition": graph(static("only", done=True)), **body})
    assert answer.status_code == 201, answer.content
    return answer.json()


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The error body."""
    body = answer.json()
    assert (answer.status_code, body["errorCode"]) == (status, code), body
    return body


def test_a_workflow_comes_back_as_it_was_stored(developer: APIClient) -> None:
    definition = graph(node("a", "static_node", output={"x": 1}) | {"note": "kept"}, static("b"))
    flow = made(developer, name="My Workflow", version="2.1.0", definition=definition, colour="blue")
    assert (flow["name"], flow["version"], flow["type"], flow["revision"]) == ("My Workflow", "2.1.0", "linear", 1)
    assert developer.get(f"{PATH}/{flow['id']}/").json()["definition"] == definition


def test_version_and_type_have_defaults(developer: APIClient) -> None:
    flow = made(developer)
    assert (flow["version"], flow["type"], flow["warnings"]) == ("1.0.0", "linear", [])


@pytest.mark.parametrize(
    "field,value",
    [
        ("definition", "text"),
        ("definition", []),
        ("name", ["x"]),
        ("name", "x" * 256),
        ("type", "spiral"),
        ("name", None),
    ],
)
def test_a_field_of_the_wrong_kind_is_refused(developer: APIClient, field: str, value: Any) -> None:
    answer = post(developer, body={"name": "flow", "definition": graph(static("a")), field: value})
    assert field in refused(answer, 400, "VALIDATION_ERROR")["context"]["errors"]


def test_a_broken_definition_is_refused_naming_the_node_and_the_field(developer: APIClient) -> None:
    body = refused(
        post(developer, body={"name": "f", "definition": graph(node("asks", "agent"))}),
        400,
        "WORKFLOW_VALIDATION_ERROR",
    )
    assert "asks" in body["message"] and "definition.nodes[0].config.agent_id" in body["context"]["errors"]


def test_definitions_in_agents_and_steps_are_refused_with_a_clear_word(developer: APIClient) -> None:
    body = refused(post(developer, body={"name": "f", "definition": {"agents": []}}), 400, "WORKFLOW_VALIDATION_ERROR")
    assert "nodes" in body["message"]


def test_a_subworkflow_must_be_the_tenants_own(developer: APIClient, stranger: APIClient) -> None:
    for workflow_id in (str(uuid4()), "nonsense", made(stranger)["id"]):
        answer = post(
            developer, body={"name": "f", "definition": graph(node("calls", "subworkflow", workflow_id=workflow_id))}
        )
        assert "calls" in refused(answer, 400, "WORKFLOW_VALIDATION_ERROR")["message"]


def test_a_cycle_without_an_exit_is_saved_with_a_warning(developer: APIClient) -> None:
    flow = made(developer, type="graph", definition=graph(static("a"), static("b"), ways=edges("a>b", "b>a")))
    assert "'a', 'b'" in flow["warnings"][0]


def test_the_list_is_a_page_of_the_tenants_own(developer: APIClient, stranger: APIClient) -> None:
    ours, _ = [made(developer)["id"] for _ in range(3)], made(stranger)
    pages = [developer.get(PATH, {"page": page, "limit": 2}).json() for page in (1, 2)]
    assert sorted(flow["id"] for page in pages for flow in page["data"]) == sorted(ours)
    assert pages[0]["meta"] == {"page": 1, "limit": 2, "total": 3, "totalPages": 2, "totalIsExact": True}


@pytest.mark.parametrize("method", ["put", "patch"])
def test_an_update_changes_only_what_it_names(developer: APIClient, method: str) -> None:
    flow = made(developer, version="3.0.0")
    answer = getattr(developer, method)(f"{PATH}/{flow['id']}", {"name": "New"}, format="json").json()
    assert (answer["name"], answer["version"], answer["definition"], answer["revision"]) == (
        "New",
        "3.0.0",
        flow["definition"],
        1,
    )


def test_each_save_of_a_definition_makes_a_version(developer: APIClient) -> None:
    flow = made(developer)
    definition = graph(static("other"))
    answer = developer.patch(f"{PATH}/{flow['id']}", {"definition": definition}, format="json").json()
    versions = developer.get(f"{PATH}/{flow['id']}/versions").json()["data"]
    assert answer["revision"] == 2 and [version["revision"] for version in versions] == [2, 1]
    assert [version["definition"] for version in versions] == [definition, flow["definition"]]


def test_a_broken_update_changes_nothing(developer: APIClient) -> None:
    flow = made(developer)
    broken = {"definition": graph(static("a"), ways=edges("a>ghost"))}
    refused(developer.patch(f"{PATH}/{flow['id']}", broken, format="json"), 400, "WORKFLOW_VALIDATION_ERROR")
    assert developer.get(f"{PATH}/{flow['id']}").json()["revision"] == 1 and WorkflowVersion.all_tenants.count() == 1


def test_a_new_type_is_judged_with_the_old_definition(developer: APIClient) -> None:
    flow = made(developer, definition={"nodes": [static("a"), static("b")]})
    refused(developer.patch(f"{PATH}/{flow['id']}", {"type": "graph"}, format="json"), 400, "WORKFLOW_VALIDATION_ERROR")


def test_a_deleted_workflow_is_gone_and_its_versions_stay(developer: APIClient) -> None:
    flow = made(developer)
    assert "message" in developer.delete(f"{PATH}/{flow['id']}").json()
    refused(developer.get(f"{PATH}/{flow['id']}"), 404, "WORKFLOW_NOT_FOUND")
    refused(post(developer, f"{PATH}/{flow['id']}/runs"), 404, "WORKFLOW_NOT_FOUND")
    assert WorkflowVersion.all_tenants.count() == 1


def test_a_user_reads_and_runs_but_does_not_write(developer: APIClient, user: APIClient) -> None:
    path = f"{PATH}/{made(developer)['id']}"
    assert user.get(path).status_code == 200 and post(user, f"{path}/runs").status_code == 201
    refused(post(user, body={"name": "x", "definition": graph(static("a"))}), 403, "FORBIDDEN")
    refused(user.patch(path, {"name": "x"}, format="json"), 403, "FORBIDDEN")
    refused(user.delete(path), 403, "FORBIDDEN")


@pytest.mark.parametrize(
    "method,tail",
    [
        ("get", ""),
        ("patch", ""),
        ("put", ""),
        ("delete", ""),
        ("get", "/versions"),
        ("post", "/runs"),
        ("post", "/execute"),
    ],
)
def test_other_tenant_gets_404(developer: APIClient, stranger: APIClient, method: str, tail: str) -> None:
    flow = made(developer)
    refused(getattr(stranger, method)(f"{PATH}/{flow['id']}{tail}", {}, format="json"), 404, "WORKFLOW_NOT_FOUND")
    refused(getattr(stranger, method)(f"{PATH}/nonsense{tail}", {}, format="json"), 404, "WORKFLOW_NOT_FOUND")
    assert Workflow.all_tenants.get(pk=flow["id"]).name == "flow" and not Run.all_tenants.exists()
