"""What the commands of code tasks cannot do (RELIABILITY S4, S5, P14): each escape is tried through /tasks."""

import base64
import ctypes
import json
import os
import stat
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings as django_settings

from agents.errors import WorkspaceError
from agents.sandbox import sandboxed_command
from agents.sandbox.bubblewrap import python
from agents.sandbox.limits import MIB
from agents.workspaces.workspace import Workspace
from config.errors import DomainError
from tests.agents.far_end import FarEnd
from tests.agents.task_calls import actions, create, finish, sandboxed, shell, use
from tests.agents.test_work_on_task import processes_with
from tests.factories import make_user, token_of
from tests.front import Front
from tests.orchestration.running import until

if TYPE_CHECKING:
    from accounts.models import Tenant

SECRET = "canary-of-the-worker"
LIBC = ctypes.CDLL(None)
MIN_PROBES = 75


@pytest.fixture
def token(acme: "Tenant") -> str:
    """A plain member's token."""
    return token_of(make_user(acme))


@sandboxed
@pytest.mark.usefixtures("gateway", "engine")
class TestSandbox:
    """The shell tool."""

    def test_no_probe_gets_out(
        self, front: Front, token: str, far_end: FarEnd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CANARY", SECRET)
        (tmp_path / "host.txt").write_text(SECRET)
        (tmp_path / "host.txt").chmod(0o644)
        data = Path(str(django_settings.DATA_DIR))
        sockets = [str(path) for path in data.rglob("*") if stat.S_ISSOCK(path.lstat().st_mode)]
        files = [str(tmp_path / "host.txt"), str(Path(__file__)), str(data / "files"), str(data / "secret_key")]
        arguments = json.dumps(
            {"secret": SECRET, "files": files, "port": far_end.port, "sockets": sockets}
            | {"user_namespace": os.readlink("/proc/self/ns/user") if sandboxed_command.has_user_namespace() else ""}
        )
        uploads = {"probes.py": (Path(__file__).parent / "probes.py").read_text(), "given.json": arguments}
        ids = [upload(front, token, path, text) for path, text in uploads.items()]
        command = f'{python()} -I -S probes.py "$(cat given.json)"'
        task = finish(front, token, "Probe " + use("shell", command=command), file_ids=ids)
        out = json.loads(task["result"]["actions_taken"][0]["result"])
        assert out["returncode"] == 0, out
        results = json.loads(out["stdout"])
        assert len(results) >= MIN_PROBES
        assert {name: output for name, output in results.items() if output} == {}
        assert far_end.connections == 0 and SECRET not in json.dumps(task)

    def test_a_bomb_of_processes_is_bounded_and_gone(self, front: Front, token: str) -> None:
        mark = str(10**7 + uuid.uuid4().int % 10**6)
        bomb = f"import os\nfor made in range(500):\n    if os.fork() == 0: os.execvp('sleep', ['sleep', '{mark}'])"
        bomb = f"try:\n    {bomb.replace(chr(10), chr(10) + '    ')}\nexcept BlockingIOError: print(made)"
        [out] = shell(front, token, f'{python()} -I -S -c "{bomb}"')
        assert 10 < int(out["stdout"]) < 64
        until(lambda: not processes_with(f"sleep {mark}"), 2)

    def test_daemons_do_not_outlive_their_command(self, front: Front, token: str) -> None:
        mark = str(10**7 + uuid.uuid4().int % 10**6)
        [out] = shell(
            front, token, f"setsid nohup sh -c 'sleep {mark}; true' < /dev/null > /dev/null 2>&1 & echo started"
        )
        assert out["stdout"] == "started\n" and out["execution_time"] < 10
        until(lambda: not processes_with(mark), 2)

    def test_memory_is_counted_over_all_processes(self, front: Front, token: str, settings: Any) -> None:
        settings.TASK_MEMORY_BYTES = 200 * MIB
        eater = "x = bytearray(60_000_000); import time; time.sleep(20)"
        each = f"{python()} -I -S -c '{eater}'"
        [out] = shell(front, token, f"for i in 1 2 3 4 5 6; do {each} & done; wait")
        assert out["returncode"] == 124 and "too much memory" in out["note"]

    def test_disk_is_counted_over_all_files(self, front: Front, token: str, settings: Any) -> None:
        settings.TASK_DISK_BYTES = 40 * MIB
        command = "for i in $(seq 60); do head -c 1000000 /dev/zero | tee f$i | true; done; sleep 20"
        [out] = shell(front, token, command.replace("| tee f$i | true", "| dd of=f$i status=none"))
        assert out["returncode"] == 124 and "too much disk" in out["note"]

    @pytest.mark.parametrize(
        "eater",
        [
            "import threading\ndef child():\n if os.fork() == 0: x = bytearray(300_000_000); time.sleep(20)\n"
            "threading.Thread(target=child).start(); time.sleep(20)",
            "for n in range(1_000_000): os.close(os.open(f'/tmp/{n}', os.O_CREAT))",
        ],
        ids=["of a thread's child", "of a million names"],
    )
    def test_memory_is_found_wherever_it_is(self, front: Front, token: str, settings: Any, eater: str) -> None:
        settings.TASK_MEMORY_BYTES = 200 * MIB
        id = upload(front, token, "eat.py", f"import os, time\n{eater}\n")
        command = use("shell", command=f"{python()} -I -S eat.py", timeout=60)
        [action] = finish(front, token, command, file_ids=[id])["result"]["actions_taken"]
        assert "too much memory" in json.loads(action["result"]).get("note", ""), action

    def test_deleted_files_that_are_open_are_counted(self, front: Front, token: str, settings: Any) -> None:
        settings.TASK_DISK_BYTES = 40 * MIB
        hoard = "import os, time\nkept = []\nfor n in range(9):\n f = open('f', 'wb'); f.write(bytes(9_000_000))\n"
        hoard += " f.flush(); kept.append(f); os.unlink('f')\ntime.sleep(20)\n"
        id = upload(front, token, "hoard.py", hoard)
        command = use("shell", command=f"{python()} -I -S hoard.py")
        [action] = finish(front, token, command, file_ids=[id])["result"]["actions_taken"]
        assert "too much disk" in json.loads(action["result"]).get("note", ""), action

    def test_a_tree_without_end_is_stopped_and_deleted(self, front: Front, token: str) -> None:
        dig = "import os\nfor n in range(3000): os.mkdir('d'); os.chdir('d')\n"
        id = upload(front, token, "dig.py", dig)
        calls = use("shell", command=f"{python()} -I -S dig.py; sleep 5") + use("list_files")
        task = finish(front, token, calls, file_ids=[id])
        shell_, list_action = task["result"]["actions_taken"]
        assert "too much disk" in json.loads(shell_["result"])["note"] and "too deep" in list_action["result"]
        space = Workspace(uuid.UUID(task["id"]))
        assert space.root.exists()
        assert front.request("DELETE", f"/tasks/{task['id']}", token).status_code == 204
        assert not space.root.exists()

    def test_odd_names_and_closed_files_spoil_no_search_and_no_report(self, front: Front, token: str) -> None:
        odd = "touch 'C:odd' \"$(printf 'nl\\nname')\"; echo found | tee g; echo x | tee h; chmod 000 h; rm .git/HEAD"
        task = finish(front, token, use("shell", command=odd) + use("search_files", pattern="found"))
        assert json.loads(task["result"]["actions_taken"][1]["result"]) == [{"path": "g", "line": 1, "text": "found"}]
        assert {"g"} <= {file["path"] for file in task["result"]["files"]} and task["result"]["notes"]

    def test_time_is_bounded_and_output_cut(self, front: Front, token: str) -> None:
        calls = use("shell", command="echo begun; sleep 60", timeout=0.5)
        slow, loud = actions(front, token, calls + use("shell", command="yes | head -c 300000"))
        out = json.loads(slow["result"])
        assert (out["returncode"], out["stdout"]) == (124, "begun\n") and "0.5 s" in out["note"]
        out = json.loads(loud["result"])
        assert len(out["stdout"]) == 64 * 1024 and "cut" in out["note"]

    def test_gits_own_hooks_stay_in_the_sandbox(self, front: Front, token: str, tmp_path: Path) -> None:
        tmp_path.chmod(0o777)
        hook = f"#!/bin/sh\ntouch {tmp_path}/planted\n"
        plant = "chmod 755 .git/hooks/*; git config core.fsmonitor .git/hooks/post-commit"
        actions(
            front, token, use("write_file", path=".git/hooks/post-commit", content=hook), use("shell", command=plant),
            use("write_file", path="a.txt", content="x"), use("git_commit", message="go"), use("git_status"),
        )  # fmt: skip
        assert not (tmp_path / "planted").exists()

    def test_cancel_ends_a_tree_of_processes(self, front: Front, token: str) -> None:
        mark = str(10**7 + uuid.uuid4().int % 10**6)
        id = create(
            front, token, use("shell", command=f"for i in 1 2 3; do (setsid sleep {mark} &) ; done; sleep {mark}")
        )["id"]
        until(lambda: len(processes_with(f"sleep {mark}")) >= 4, 30)
        front.request("POST", f"/tasks/{id}/cancel", token)
        until(lambda: not processes_with(mark), 2)


@pytest.mark.usefixtures("gateway", "engine")
def test_without_a_sandbox_a_command_is_refused_and_files_work(
    front: Front, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandboxed_command, "unavailable_reason", lambda: "bubblewrap is not installed")
    calls = use("write_file", path="a.txt", content="x") + use("shell", command="echo bare") + use("git_status")
    task = finish(front, token, calls)
    results = [action["result"] for action in task["result"]["actions_taken"]]
    assert results[0] == "File written successfully"
    assert all("bubblewrap is not installed" in result for result in results[1:])
    assert task["result"]["diff"] is None and [file["path"] for file in task["result"]["files"]] == ["a.txt"]
    health = front.request("GET", "/health", token).json()
    assert health["sandbox"] == {"available": False, "reason": "bubblewrap is not installed"}


def upload(front: Front, token: str, path: str, text: str) -> str:
    """The id of a new file."""
    body = {"path": path, "content": base64.b64encode(text.encode()).decode()}
    answer = front.post("/api/v1/files", token, body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


# ---- the file tools, which work outside of the sandbox


@pytest.fixture
def space(tmp_path: Path, settings: Any) -> Workspace:
    """A workspace in a folder of its own, with a secret beside it."""
    settings.DATA_DIR = tmp_path
    (tmp_path / "secret.txt").write_text(SECRET)
    workspace = Workspace(uuid.uuid4())
    workspace.create()
    return workspace


HOSTILE = (
    *("../secret.txt", "../../secret.txt", "a/../../secret.txt", "..", "../", "./../secret.txt", "..\\..\\secret.txt"),
    *(
        "/etc/passwd",
        "//etc/passwd",
        "/workspace/../secret.txt",
        "/workspace/../../etc/passwd",
        "~/x",
        "C:/x",
        "file:///etc/passwd",
    ),
    *("%2e%2e/secret.txt", "%252e%252e/secret.txt", "..%2fsecret.txt", "a\0b", "a\nb", "x" * 300, "a/" * 600 + "b"),
    *("link/secret.txt", "file-link", "deep/link/secret.txt", "pipe", "loop", "loop/x"),
)


@pytest.mark.parametrize("path", HOSTILE)
def test_no_path_leaves_the_workspace(space: Workspace, path: str) -> None:
    (space.root / "link").symlink_to(space.root.parent.parent)
    (space.root / "file-link").symlink_to(space.root.parent.parent / "secret.txt")
    (space.root / "deep").mkdir()
    (space.root / "deep" / "link").symlink_to("../../..")
    (space.root / "loop").symlink_to("loop")
    os.mkfifo(space.root / "pipe")
    outside = sorted(space.root.parent.parent.rglob("*"))
    with suppress(DomainError):
        assert SECRET.encode() not in space.read_file(path, 1000)
    with suppress(DomainError):
        space.write_file(path, b"planted")
    before = [one for one in outside if space.root not in one.parents]
    after = [one for one in sorted(space.root.parent.parent.rglob("*")) if space.root not in one.parents]
    assert before == after and (space.root.parent.parent / "secret.txt").read_text() == SECRET


def test_two_files_of_long_names_are_two_and_a_failed_write_leaves_nothing(space: Workspace) -> None:
    space.write_file("folder/a.txt", b"x")
    with pytest.raises(DomainError):
        space.write_file("folder", b"x")
    with pytest.raises(DomainError):
        space.write_file("/workspaceX/a.txt", b"x")
    assert list(space.files()) == ["folder/a.txt"]


def test_removing_changes_nothing_that_links_point_at(space: Workspace) -> None:
    outside = space.root.parent.parent / "secret.txt"
    before = outside.stat().st_mode
    (space.root / "d").mkdir()
    (space.root / "d" / "link").symlink_to(outside)
    (space.root / "d").chmod(0)
    space.remove()
    assert not space.root.exists() and outside.stat().st_mode == before and outside.read_text() == SECRET


def test_links_are_not_listed_and_no_listing_begins_at_one(space: Workspace) -> None:
    space.write_file("src/a.txt", b"x")
    (space.root / "out").symlink_to(space.root.parent.parent)
    (space.root / "src" / "up").symlink_to("../..")
    assert list(space.files()) == ["src/a.txt"]
    for beneath in ("out", "src/up", "..", "/etc", "out/workspaces"):
        with pytest.raises(DomainError):
            list(space.files(beneath))


def test_a_link_that_is_swapped_in_while_files_are_read_gains_nothing(space: Workspace) -> None:
    """A thread swaps a folder for a link to the outside and back, as fast as it can (RELIABILITY S5)."""
    secret = space.root.parent.parent / "box"
    secret.mkdir()
    (secret / "a.txt").write_text(SECRET)
    (space.root / "dir").mkdir()
    (space.root / "dir" / "a.txt").write_text("mine")
    (space.root / "link").symlink_to(secret)
    over = threading.Event()

    def swap() -> None:
        at, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE: neither name is ever missing
        while not over.is_set():
            LIBC.renameat2(at, bytes(space.root / "dir"), at, bytes(space.root / "link"), exchange)

    thread = threading.Thread(target=swap)
    thread.start()
    counts = {b"mine": 0, b"": 0}
    try:
        for _ in range(1000):
            try:
                content = space.read_file("dir/a.txt", 100)
            except WorkspaceError:
                content = b""
            counts[content] += 1
            try:
                space.write_file("dir/b.txt", b"x")
            except WorkspaceError:
                continue
    finally:
        over.set()
        thread.join()
    assert sum(counts.values()) == 1000 and sorted(path.name for path in secret.iterdir()) == ["a.txt"]
