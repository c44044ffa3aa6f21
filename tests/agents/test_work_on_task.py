"""/tasks: an agent works in a workspace of its own until it is done; what it did, changed and said is told."""

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agents.workspaces.workspace import Workspace
from memory.models import File
from orchestration.models import Run, RunEvent, Step
from tests.agents.task_calls import TASKS, actions, create, finish, over, sandboxed, shell, task, use
from tests.factories import make_tenant, make_user, token_of
from tests.front import Front
from tests.orchestration.running import EngineThread, until

if TYPE_CHECKING:
    from accounts.models import Tenant

pytestmark = pytest.mark.usefixtures("gateway", "engine")
FULL = {"id", "objective", "context", "state", "created_at", "updated_at", "logs", "steps", "result"}


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """The product's: what it makes is its own."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def token(acme: "Tenant") -> str:
    """A plain member's token."""
    return token_of(make_user(acme))


def test_a_new_task_is_pending_and_whole(front: Front, token: str) -> None:
    answer = create(front, token, "Say hello", context={"language": "python"})
    assert set(answer) == FULL and (answer["state"], answer["steps"], answer["result"]) == ("pending", [], None)
    assert answer["context"] == {"language": "python"}
    assert [line["message"] for line in answer["logs"]] == ["Task criada: Say hello"]


def test_a_task_writes_what_it_is_asked_to_and_tells_what_it_did(front: Front, token: str) -> None:
    call = use("write_file", path="test.txt", content="Hello World")
    outcome = finish(front, token, f"Criar arquivo {call} <<say: Arquivo test.txt criado>>")
    assert outcome["state"] == "completed" and outcome["result"]["output"] == "Arquivo test.txt criado"
    [action] = outcome["result"]["actions_taken"]
    assert (action["tool"], action["params"]) == ("write_file", {"path": "test.txt", "content": "Hello World"})
    assert action["result"] == "File written successfully" and action["success"] is True
    assert [step["description"] for step in outcome["steps"]] == ["write_file: test.txt"]
    messages = [line["message"] for line in outcome["logs"]]
    assert messages[1:] == ["Iniciando execução...", "Executando write_file: test.txt", "Task finalizada com sucesso"]


@sandboxed
def test_the_diff_and_the_changed_files_are_kept(front: Front, token: str) -> None:
    calls = use("write_file", path="src/a.py", content="print(1)\n") + use("git_commit", message="one")
    outcome = finish(
        front, token, calls + use("shell", command="echo two | tee -a src/a.py; echo b > b.txt; rm -f none")
    )
    assert "+print(1)" in outcome["result"]["diff"] and "+two" in outcome["result"]["diff"]
    file_ids = {file["path"]: file["file_id"] for file in outcome["result"]["files"]}
    assert set(file_ids) == {"src/a.py", "b.txt"}
    answer = front.request("GET", f"/api/v1/files/{file_ids['src/a.py']}/download", token)
    if answer.status_code == 404:
        answer = front.request("GET", f"/api/v1/files/{file_ids['src/a.py']}", token)
    assert answer.status_code == 200
    assert File.all_tenants.get(pk=file_ids["b.txt"]).run_id == uuid.UUID(outcome["id"])


@sandboxed
def test_a_shell_answers_streams_and_code_and_calls_share_the_workspace(front: Front, token: str) -> None:
    [out] = shell(front, token, "echo hi; echo oops >&2; exit 3")
    assert (out["stdout"], out["stderr"], out["returncode"]) == ("hi\n", "oops\n", 3) and out["execution_time"] > 0
    first, second = shell(front, token, "echo x | tee -a log.txt; wc -l < log.txt", times=2)
    assert (first["stdout"].split(), second["stdout"].split()) == (["x", "1"], ["x", "2"])
    [alone] = shell(front, token, "echo x | tee -a log.txt; wc -l < log.txt")
    assert alone["stdout"].split() == ["x", "1"]


@sandboxed
def test_every_tool_does_its_work(front: Front, token: str) -> None:
    patch = "--- a/f.txt\n+++ b/f.txt\n@@ -1 +1 @@\n-one\n+uno\n"
    outcome = actions(
        front, token,
        use("write_file", path="f.txt", content="one\n"), use("git_status"), use("git_commit", message="first"),
        use("apply_patch", patch=patch), use("read_file", path="/workspace/f.txt"), use("search_files", pattern="UNO"),
        use("list_files"), use("git_status"), use("execute_command", command="cat f.txt"),
    )  # fmt: skip
    results = [action["result"] for action in outcome]
    assert results[1] == "?? f.txt" and "first" in results[2] and results[3] == "Patch applied: f.txt"
    assert results[4] == "uno\n" and json.loads(results[5]) == [{"path": "f.txt", "line": 1, "text": "uno"}]
    assert json.loads(results[6]) == ["f.txt"] and results[7] == " M f.txt"
    assert json.loads(results[8])["stdout"] == "uno\n" and outcome[8]["tool"] == "shell"


@pytest.mark.parametrize(
    "call", [use("search_files"), use("apply_patch"), use("git_commit"), use("read_file", path="x")]
)
def test_a_call_that_fails_is_told_to_the_model_and_recorded(front: Front, token: str, call: str) -> None:
    outcome = finish(front, token, f"Try {call} <<say: done>>")
    assert outcome["state"] == "completed"
    [action] = outcome["result"]["actions_taken"]
    assert action["success"] is False and action["result"].startswith("Error: ")


def test_an_unknown_tool_does_not_break_the_task(front: Front, token: str) -> None:
    assert finish(front, token, use("teleport", to="moon"))["state"] == "completed"


def test_a_model_that_never_stops_meets_the_cap(front: Front, token: str, settings: Any) -> None:
    settings.MAX_TASK_TURNS = 3
    outcome = finish(front, token, use("list_files", 20))
    assert outcome["state"] == "failed" and "3 model calls" in outcome["result"]["error"]
    assert len(outcome["result"]["actions_taken"]) == 3 and outcome["result"]["success"] is False


def test_a_model_that_says_that_it_cannot_be_done_fails_the_task(front: Front, token: str) -> None:
    outcome = finish(front, token, use("list_files") + "<<say: FAILED: there is no such project>>")
    assert (outcome["state"], outcome["result"]["success"]) == ("failed", False)
    assert outcome["result"]["error"] == outcome["result"]["output"] == "there is no such project"
    assert len(outcome["result"]["actions_taken"]) == 1


def test_thoughts_before_it_hide_no_failure(front: Front, token: str) -> None:
    outcome = finish(front, token, "Try it <<say: <think>Can it be done?</think>\n\nFAILED: there is no such project>>")
    assert (outcome["state"], outcome["result"]["error"]) == ("failed", "there is no such project")


def test_a_model_that_fails_fails_the_task(front: Front, token: str) -> None:
    outcome = finish(front, token, "Try it <<status: 400>>")
    assert outcome["state"] == "failed" and outcome["result"]["error"] and outcome["result"]["actions_taken"] == []
    assert outcome["logs"][-1]["message"].startswith("Task finalizada com falha: ")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, ["body", "objective"]),
        ({"objective": "ab"}, ["body", "objective"]),
        ({"objective": "   "}, ["body", "objective"]),
        ({"objective": "x" * 1001}, ["body", "objective"]),
        ({"objective": 42}, ["body", "objective"]),
        ({"objective": "hello", "context": [1]}, ["body", "context"]),
        ({"objective": "hello", "file_ids": ["no"]}, ["body", "file_ids"]),
        ({"objective": "hello", "file_ids": [str(uuid.uuid4())]}, ["body", "file_ids"]),
        ({"objective": "hello", "git_url": "https://example.com/x.git"}, ["body", "git_url"]),
        ({"objective": "hello", "git_url": "/etc"}, ["body", "git_url"]),
    ],
)
def test_bad_input_is_422_and_names_the_place(front: Front, token: str, body: Any, place: list[str]) -> None:
    answer = front.post(TASKS, token, body)
    assert answer.status_code == 422 and ".".join(answer.json()["detail"][0]["loc"]).startswith(".".join(place)), (
        answer.text
    )
    assert not Run.all_tenants.filter(kind="task").exists()


def test_lists_filter_and_count(front: Front, token: str) -> None:
    outcome = finish(front, token, "Say hello")["id"]
    newest = finish(front, token, "Fail <<status: 400>>")["id"]
    body = front.request("GET", TASKS, token).json()
    assert [one["id"] for one in body["tasks"]] == [newest, outcome] and body["total"] == 2
    body = front.request("GET", f"{TASKS}?state=completed&limit=1", token).json()
    assert [one["id"] for one in body["tasks"]] == [outcome] and body["total"] == 1
    stats = front.request("GET", f"{TASKS}/stats/", token).json()
    assert stats == {"total": 2, "pending": 0, "running": 0, "completed": 1, "failed": 1, "cancelled": 0}
    for query, place in (("limit=0", "limit"), ("limit=101", "limit"), ("limit=ten", "limit"), ("state=x", "state")):
        answer = front.request("GET", f"{TASKS}?{query}", token)
        assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["query", place]


def test_uploaded_files_are_there_to_begin_with(front: Front, token: str) -> None:
    created = front.post("/api/v1/files", token, {"path": "data/in.txt", "content": "aGVsbG8="}).json()
    call = use("read_file", path="data/in.txt")
    outcome = finish(front, token, f"Read {call}", file_ids=[created["id"]])
    assert outcome["result"]["actions_taken"][0]["result"] == "hello"
    stranger = token_of(make_user(make_tenant()))
    assert front.post(TASKS, stranger, {"objective": "Read", "file_ids": [created["id"]]}).status_code == 422


@sandboxed
def test_a_repository_that_the_operator_allows_is_cloned(
    front: Front, token: str, tmp_path: Path, settings: Any
) -> None:
    os.umask(0o022)  # the sandbox reads it as nobody in particular
    tmp_path.chmod(0o755)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    (tmp_path / "a.txt").write_text("from the repository\n")
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "first"], check=True)
    settings.TASK_GIT_ALLOW = [str(tmp_path)]
    calls = use("read_file", path="a.txt") + use("shell", command="git log --format=%s; echo more | tee -a a.txt")
    outcome = finish(front, token, calls, git_url=f"file://{tmp_path}")
    first, second = outcome["result"]["actions_taken"]
    assert first["result"] == "from the repository\n" and "first" in json.loads(second["result"])["stdout"]
    assert "+more" in outcome["result"]["diff"]
    assert (tmp_path / "a.txt").read_text() == "from the repository\n"


def test_deleting_removes_the_rows_the_files_and_the_workspace(front: Front, token: str) -> None:
    id = finish(front, token, use("write_file", path="a.txt", content="x"))["id"]
    space = Workspace(uuid.UUID(id))
    assert (space.root / "a.txt").exists() and File.all_tenants.filter(run_id=id).exists()
    assert front.request("DELETE", f"{TASKS}/{id}", token).status_code == 204
    assert not space.root.exists()
    for rows in (Run.all_tenants.filter(pk=id), Step.all_tenants, RunEvent.all_tenants, File.all_tenants):
        assert not rows.exists()
    answer = front.request("GET", f"{TASKS}/{id}", token)
    assert (answer.status_code, answer.json()) == (404, {"detail": f"Task {id} não encontrada"})


@sandboxed
def test_a_running_task_cannot_be_deleted_and_cancel_leaves_no_process(front: Front, token: str) -> None:
    nap = 1_000_000 + uuid.uuid4().int % 1_000_000
    id = create(front, token, use("shell", command=f"(sleep {nap} & setsid sleep {nap} & sleep {nap}) & sleep {nap}"))[
        "id"
    ]
    until(lambda: len(processes_with(str(nap))) >= 4, 30)
    assert task(front, token, id)["steps"][0]["description"].startswith("shell: (sleep")
    assert front.request("DELETE", f"{TASKS}/{id}", token).status_code == 409
    answer = front.request("POST", f"{TASKS}/{id}/cancel", token)
    assert answer.status_code == 200 and answer.json()["state"] == "cancelled"
    until(lambda: not processes_with(str(nap)), 2)
    answer = task(front, token, id)
    assert answer["state"] == "cancelled" and answer["logs"][-1]["message"] == "Task cancelada pelo usuário"
    again = front.request("POST", f"{TASKS}/{id}/cancel", token)
    assert again.status_code == 400
    assert again.json() == {"detail": f"Task {id} não pode ser cancelada (estado atual: cancelled)"}


def test_a_late_answer_of_the_model_undoes_no_cancel(front: Front, token: str) -> None:
    id = create(front, token, "Think <<delay: 400>> <<say: too late>>")["id"]
    until(lambda: task(front, token, id)["state"] == "running")
    front.request("POST", f"{TASKS}/{id}/cancel", token)
    over(id)
    answer = task(front, token, id)
    assert answer["state"] == "cancelled" and "too late" not in json.dumps(answer["result"])


def test_five_tasks_of_a_user_run_and_the_others_wait_and_hold_up_nobody(
    front: Front, acme: "Tenant", token: str, engine: EngineThread
) -> None:
    created = [create(front, token, f"Think {n} <<delay: 60000>>")["id"] for n in range(7)]
    until(lambda: front.request("GET", f"{TASKS}/stats", token).json()["running"] == 5)
    other = token_of(make_user(acme))
    assert finish(front, other, "Say hello")["state"] == "completed"
    stats = front.request("GET", f"{TASKS}/stats", token).json()
    assert (stats["running"], stats["pending"]) == (5, 2)
    front.request("POST", f"{TASKS}/{created[0]}/cancel", token)
    until(lambda: task(front, token, created[5])["state"] == "running")
    for id in created[1:]:
        assert front.request("POST", f"{TASKS}/{id}/cancel", token).json()["state"] == "cancelled"


@sandboxed
def test_a_command_that_its_worker_died_under_is_told_and_not_run_again(
    front: Front, acme: "Tenant", token: str, engine: EngineThread
) -> None:
    id = create(front, token, use("shell", command="echo x | tee -a ran.txt; sleep 30"))["id"]
    marker = Workspace(uuid.UUID(id)).root / "ran.txt"
    until(marker.exists, 30)
    engine.drain()  # the command is killed with the engine that ran it
    assert not processes_with("tee -a ran.txt")
    second = EngineThread()
    try:
        over(id)
    finally:
        second.drain()
    [action] = task(front, token, id)["result"]["actions_taken"]
    assert "was not done again" in action["result"] and marker.read_text() == "x\n"


@pytest.mark.parametrize("client", ["forwarded", "elsewhere", "rebound", "switched off"])
def test_only_who_sits_at_this_machine_needs_no_credentials(client: str, acme: "Tenant", settings: Any) -> None:
    from rest_framework.test import APIClient

    settings.TASKS_ANONYMOUS = True
    headers = {
        "forwarded": {"HTTP_X_FORWARDED_FOR": "203.0.113.9"},
        "elsewhere": {"REMOTE_ADDR": "203.0.113.9"},
        "rebound": {"HTTP_HOST": "evil.example"},
    }
    mine = APIClient(HTTP_HOST="127.0.0.1")
    answer = mine.post(TASKS, {"objective": "Say hello"}, format="json")
    assert answer.status_code == 201
    assert [one["id"] for one in mine.get(TASKS).json()["tasks"]] == [answer.json()["id"]]
    assert mine.get("/api/v1/runs").status_code == 401, "the way without credentials leads to /tasks alone"
    if client == "switched off":
        settings.TASKS_ANONYMOUS = False
    settings.ALLOWED_HOSTS = ["*"]
    refusal = APIClient(HTTP_HOST="127.0.0.1").get(TASKS, **headers.get(client, {}))
    assert refusal.status_code == 401 and isinstance(refusal.json()["detail"], str)


def test_nobody_can_become_the_local_user(db: None, settings: Any) -> None:
    from rest_framework.test import APIClient

    from accounts.models import Membership

    settings.TASKS_ANONYMOUS = True
    account = {"email": "local@regente.invalid", "password": "correct-Horse-7", "name": "Eve"}
    assert APIClient().post("/api/v1/auth/register", account, format="json").status_code == 400
    created = APIClient(HTTP_HOST="127.0.0.1").post(TASKS, {"objective": "Say hello"}, format="json")
    run = Run.all_tenants.get(pk=created.json()["id"])
    assert run.tenant_id == "local" and Membership.all_tenants.get(user_id=run.created_by).role == "user"


def test_another_sites_page_may_not_use_this_machine(acme: "Tenant", settings: Any) -> None:
    from rest_framework.test import APIClient

    settings.TASKS_ANONYMOUS = True
    page = APIClient(HTTP_HOST="127.0.0.1", HTTP_ORIGIN="https://evil.example")
    assert page.post(TASKS, {"objective": "Say hello"}, format="json").status_code in (401, 403)
    assert page.get(TASKS).status_code in (401, 403)


def processes_with(word: str) -> list[str]:
    """Command lines on this machine that hold the word, this one's aside."""
    results = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        if path.parent.name == str(os.getpid()):
            continue
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if word in line:
            results.append(line)
    return results


def test_operators_find_jobs_and_tasks_in_the_admin(front: Front, token: str, acme: "Tenant") -> None:
    from django.test import Client

    from accounts.models import User

    finish(front, token, "Say hello to the admin")
    job = front.post("/api/ai/agents/dummy/run/", token, {"related": {"type": "asset", "id": 7}}).json()["job_id"]
    operator = Client()
    operator.force_login(User.objects.create_superuser("root@example.com", "correct-Horse-7"))
    assert "Say hello to the admin" in operator.get("/admin/agents/codetask/?q=admin").content.decode()
    page = operator.get("/admin/agents/job/").content.decode()
    assert job in page and "asset:" in page
    assert operator.get(f"/admin/agents/job/{job}/change/").status_code == 200
