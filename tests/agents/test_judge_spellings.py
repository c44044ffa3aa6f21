"""A deny holds for every spelling of a path, a URL, a header or an id: it is judged as the tool acts on it."""

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from accounts.models import Tenant
from governance.models import Policy, PolicyDecision
from memory.models import File
from orchestration.models import Approval, Change, Run, RunEvent, Step
from tests.agents.far_end import FarEnd
from tests.agents.task_calls import actions, use
from tests.factories import log_in, make_agent, make_user, make_workflow, token_of
from tests.front import Front
from tests.model_server import ModelServer
from tests.orchestration.running import ended, reached, start

if TYPE_CHECKING:
    from rest_framework.test import APIClient

pytestmark = pytest.mark.usefixtures("engine")
SECRET_PATHS = ["secret/y", "./secret/y", "././secret//y", ".//secret/./y", "secret\\y", ".\\secret\\y"]
# {url} is the far end's.
SECRET_URLS = [
    "{url}/secret/x", "{url}/%73ecret/x", "{url}/a/../secret/x", "{url}/a/%2e%2e/secret/x", "{url}/%2E/s%65cret/x",
    "{url}/./secret/x", "{url}/secret/x#part", "{url}/x?next=/%73ecret",
]  # fmt: skip


@pytest.fixture
def boss(acme: Tenant) -> "APIClient":
    """A developer of acme."""
    return log_in(make_user(acme, "developer"))


def policy(tenant: Tenant, tool_id: str, condition: dict[str, Any], effect: str = "deny", **more: Any) -> Policy:
    """A policy about the tool's calls of which the condition holds."""
    rule = {"condition": condition, "effect": effect}
    fields = {"tenant": tenant, "name": effect, "scope": "tool", "scope_id": tool_id, "rule_expr": rule}
    return Policy.all_tenants.create(**fields | more)


def flow(tenant: Tenant, tool_id: str, mode: str = "auto", **input: Any) -> Run:
    """A run of a workflow that makes this call."""
    made = make_workflow(tenant, {"id": "a", "type": "tool", "config": {"tool_id": tool_id, "input": input}})
    return start(tenant, "workflow", mode=mode, subject_id=str(made.pk), subject_version=1)


def denied(run: Run) -> bool:
    """Whether a policy has stopped the run."""
    return bool(ended(run).failure_reason == "policy_denied")


# ---- files


@pytest.mark.parametrize("path", SECRET_PATHS)
def test_a_file_is_judged_by_the_path_that_it_gets(acme: Tenant, path: str) -> None:
    policy(acme, "files.write", {"input.path": {"starts_with": "secret"}})
    assert denied(flow(acme, "files.write", path=path, content="x"))
    assert not File.all_tenants.exists()


def test_a_file_is_stored_and_recorded_under_one_path(acme: Tenant) -> None:
    run = ended(flow(acme, "files.write", path="./open\\\\y", content="x"))
    assert (run.status, run.result["path"], File.all_tenants.get().path) == ("completed", "open/y", "open/y")
    assert Step.all_tenants.get(run_id=run.pk, name="a").input["path"] == "open/y"
    assert RunEvent.all_tenants.get(run_id=run.pk, kind="tool_call").payload["input"]["path"] == "open/y"
    assert PolicyDecision.all_tenants.get(run_id=run.pk, action="tool_call").context["input"]["path"] == "open/y"


@pytest.mark.parametrize("path", ["../x", "./C:/x", "a/ /x", "%2e%2e/x"])
def test_a_path_that_no_file_can_have_is_refused_before_it_is_judged(acme: Tenant, path: str) -> None:
    policy(acme, "files.write", {"input.content": "x"}, "require_approval")
    run = ended(flow(acme, "files.write", path=path, content="x"))
    assert (run.status, run.result["error_type"]) == ("failed", "VALIDATION_ERROR") and "path" in run.result["error"]


@pytest.mark.parametrize("spelling", [str.upper, lambda id: id.replace("-", ""), "{{{}}}".format, "urn:uuid:{}".format])
def test_a_file_is_judged_by_its_id_however_it_is_written(acme: Tenant, spelling: Any) -> None:
    id = ended(flow(acme, "files.write", path="a", content="x")).result["file_id"]
    policy(acme, "files.read", {"input.file_id": id})
    assert denied(flow(acme, "files.read", file_id=spelling(id)))
    assert not denied(flow(acme, "files.read", path=".//a"))


def test_a_memory_is_judged_by_its_id_however_it_is_written(acme: Tenant) -> None:
    id = str(uuid.uuid4())
    policy(acme, "memory.delete", {"input.memory_id": id})
    assert denied(flow(acme, "memory.delete", memory_id=id.upper()))


def test_a_draft_is_staged_and_judged_under_one_path(acme: Tenant, boss: "APIClient") -> None:
    draft = ended(flow(acme, "files.write", mode="draft", path="./secret/y", content="x"))
    change = Change.all_tenants.get(run_id=draft.pk)
    assert (change.target, change.arguments["path"]) == ("secret/y", "secret/y")
    # One that was staged with another spelling.
    Change.all_tenants.filter(pk=change.pk).update(arguments=change.arguments | {"path": ".//secret\\y"})
    late = policy(acme, "files.write", {"input.path": {"starts_with": "secret"}})
    url = f"/api/v1/runs/{draft.pk}/apply"
    assert boss.post(url, {}, format="json").status_code == 403 and not File.all_tenants.exists()
    late.delete()
    assert boss.post(url, {}, format="json").status_code in (200, 202)
    ended(Run.all_tenants.get(kind="apply", subject_id=str(draft.pk)))
    assert File.all_tenants.get().path == "secret/y"


def test_edited_arguments_are_judged_by_the_path_that_the_file_gets(acme: Tenant, boss: "APIClient") -> None:
    policy(acme, "files.write", {"input.path": {"exists": True}}, "require_approval")
    policy(acme, "files.write", {"input.path": {"starts_with": "secret"}})
    run = flow(acme, "files.write", path="./open", content="x")
    reached(run, "paused")
    asked = Approval.all_tenants.get(run_id=run.pk, approved__isnull=True)
    assert asked.arguments["path"] == "open"
    decide = f"/api/v1/approvals/{asked.pk}/decide"
    edited = {"path": "../x", "content": "x"}
    refused = boss.post(decide, {"approved": True, "arguments": edited}, format="json")
    assert refused.status_code == 400 and "path" in refused.content.decode()
    edited = {"path": "./secret/y", "content": "x"}
    assert boss.post(decide, {"approved": True, "arguments": edited}, format="json").status_code == 200
    assert denied(run) and not File.all_tenants.exists()


# ---- URLs


@pytest.mark.parametrize("url", SECRET_URLS)
@pytest.mark.parametrize("tool_id", ["http.request", "webhook.send"])
def test_a_url_is_judged_as_it_is_called(acme: Tenant, far_end: FarEnd, tool_id: str, url: str) -> None:
    policy(acme, tool_id, {"input.url": {"contains": "/secret"}})
    more = {"type": "x"} if tool_id == "webhook.send" else {}
    assert denied(flow(acme, tool_id, url=url.format(url=far_end.url), **more))
    assert far_end.connections == 0


HOSTS = [
    "http://blocked.test/x", "HTTP://BLOCKED.TEST/x", "http://blocked.test:80/x", "http://blocked.test./x",
    "http://ｂｌｏｃｋｅｄ.test/x", "http://blocked。test/x", "http://Blocked.test:080/x", "http://blocked.test:/x",
]  # fmt: skip


@pytest.mark.parametrize("url", HOSTS)
def test_a_host_is_judged_however_it_is_written(acme: Tenant, boss: "APIClient", url: str) -> None:
    policy(acme, "http.request", {"input.url": {"starts_with": "http://blocked.test/"}})
    execution = boss.post("/api/v1/tools/http.request/execute", {"url": url}, format="json").json()
    assert execution["input_data"]["url"] == "http://blocked.test/x"
    assert denied(Run.all_tenants.get(pk=execution["id"]))


@pytest.mark.parametrize("rest", ["", "/", "/.", "#x", "?"])
def test_a_host_alone_is_judged_with_its_first_path(acme: Tenant, rest: str) -> None:
    policy(acme, "http.request", {"input.url": "http://blocked.test/"})
    assert denied(flow(acme, "http.request", url=f"http://blocked.test{rest}"))


def test_an_address_in_disguise_is_judged_as_the_one_that_is_connected_to(acme: Tenant, far_end: FarEnd) -> None:
    policy(acme, "http.request", {"input.url": {"contains": "//127.0.0.1:"}})
    for host in ("[::ffff:127.0.0.1]", "[::FFFF:7f00:1]", "127。0。0。1", "１２７.0.0.1"):
        assert denied(flow(acme, "http.request", url=f"http://{host}:{far_end.port}/"))
    assert far_end.connections == 0


@pytest.mark.parametrize(
    "url", ["http://a.test\\secret", "http://a.test/\tx", " http://a.test/", "ftp://a.test/", "http://a@a.test/",
            "http://2130706433/", "http://a.test:[/", "nowhere", "http://a.test:99999/"]
)  # fmt: skip
def test_a_url_that_nobody_can_call_is_refused_by_its_field(acme: Tenant, boss: "APIClient", url: str) -> None:
    answer = boss.post("/api/v1/tools/http.request/execute", {"url": url}, format="json")
    assert answer.status_code == 400 and list(answer.json()["context"]["errors"]) == ["url"]
    run = ended(flow(acme, "webhook.send", url=url, type="x"))
    assert run.result["error_type"] == "VALIDATION_ERROR" and "url" in run.result["error"]


@pytest.mark.parametrize("named", ["X-Admin", "x-admin", "X-ADMIN"])
@pytest.mark.parametrize("sent", ["X-Admin", "x-admin", "X-aDMIN"])
def test_a_header_is_judged_however_it_is_written(acme: Tenant, far_end: FarEnd, named: str, sent: str) -> None:
    policy(acme, "http.request", {f"input.headers.{named}": "1"})
    assert denied(flow(acme, "http.request", url=far_end.url, headers={sent: "1"}))
    assert not denied(flow(acme, "http.request", url=far_end.url, headers={"X-Other": "1"}))
    assert [hit.headers["x-other"] for hit in far_end.hits] == ["1"]


def test_an_agents_url_is_judged_shown_and_called_alike(acme: Tenant, far_end: FarEnd, gateway: ModelServer) -> None:
    policy(acme, "http.request", {"input.url": {"contains": "/secret"}})
    make_agent(acme, "clerk", allowed_tools=["http.request"])
    hidden, fine = (json.dumps({"url": f"{far_end.url}/{path}"}) for path in ("a/../%73ecret", "b/../%6fpen?q=%7e"))
    calls = f"<<step: http_request {hidden}>> <<step: http_request {fine}>> <<then: done>>"
    run = ended(flow_of_agent(acme, calls))
    first, second = run.result["toolCalls"]
    assert first["result"]["error_type"] == "POLICY_DENIED" and first["args"] == {"url": f"{far_end.url}/secret"}
    assert second["args"] == {"url": f"{far_end.url}/open?q=~"} and [hit.path for hit in far_end.hits] == ["/open?q=~"]


def flow_of_agent(tenant: Tenant, prompt: str) -> Run:
    """A run of a workflow that asks the clerk."""
    made = make_workflow(tenant, {"id": "ask", "type": "agent", "config": {"agent_id": "clerk", "prompt": prompt}})
    return start(tenant, "workflow", mode="auto", subject_id=str(made.pk), subject_version=1)


# ---- code tasks

WORKSPACE_TOOLS = {"write_file": "path", "read_file": "path", "list_files": "root", "search_files": "path"}


@pytest.mark.usefixtures("gateway")
@pytest.mark.parametrize(
    "path", ["secret/y", "./secret/y", " secret/y", "/workspace/secret/y", "/workspace//secret/y", "./ secret/y",
             "/workspace/ ./secret/y", "secret\\y", "/workspace/./secret/y "]
)  # fmt: skip
def test_a_workspaces_paths_are_judged_as_they_are_opened(front: Front, acme: Tenant, path: str) -> None:
    for tool_id, name in WORKSPACE_TOOLS.items():
        policy(acme, tool_id, {f"input.{name}": {"starts_with": "secret"}})
    calls = [use("write_file", path=path, content="x"), use("read_file", path=path), use("list_files", root=path)]
    calls += [use("search_files", pattern="x", path=path), use("write_file", path="./open//z", content="x")]
    *others, last = actions(front, token_of(make_user(acme)), *calls)
    assert len(others) == 4 and not any(one["success"] for one in others), others
    assert (last["success"], last["params"]["path"]) == (True, "open/z")
    denials = RunEvent.all_tenants.filter(kind="policy_eval", payload__result="denied")
    assert denials.count() == 4
    begun = RunEvent.all_tenants.filter(kind="tool_started").order_by("seq").values_list("payload__argument", flat=True)
    assert [*begun] == ["secret/y", "secret/y", "secret/y", "secret/y", "open/z"]
