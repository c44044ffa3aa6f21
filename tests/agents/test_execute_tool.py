"""POST /tools/{id}/execute: a run of one tool, waited for; what is wrong with the input is told before it begins."""

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from standardwebhooks import Webhook

from agents.sandbox import sandboxed_command
from orchestration.models import Run
from tests.agents.far_end import FarEnd
from tests.agents.mcp_peer import McpPeer
from tests.factories import make_user, token_of
from tests.front import Front

if TYPE_CHECKING:
    from accounts.models import Tenant

pytestmark = pytest.mark.usefixtures("engine")
URL = "/api/v1/tools"


@pytest.fixture
def token(acme: "Tenant") -> str:
    """A developer's token."""
    return token_of(make_user(acme, "developer"))


def tool(front: Front, token: str, kind: str, config: dict[str, Any], **more: Any) -> str:
    """The URL of a new tool's executions."""
    answer = front.post(
        URL, token, {"id": "my.tool", "name": "T", "handler_type": kind, "handler_config": config, **more}
    )
    assert answer.status_code == 201, answer.text
    return f"{URL}/my.tool/execute"


def row(front: Front, url: str, token: str, body: Any) -> dict[str, Any]:
    """The execution."""
    answer = front.post(url, token, body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("body", [{"q": "rooms", "n": "3"}, {"input": {"q": "rooms", "n": 3}}])
def test_the_checked_input_is_sent_and_the_answer_is_a_row(
    front: Front, token: str, far_end: FarEnd, body: Any
) -> None:
    schema = {"type": "object", "properties": {"q": {"type": "string"}, "n": {"type": "integer"}}}
    url = tool(front, token, "http", {"url": far_end.url}, input_schema=schema)
    told = row(front, url, token, body)
    assert json.loads(far_end.hits[0].body) == {"q": "rooms", "n": 3}
    assert (told["tool_id"], told["status"], told["output_data"]) == ("my.tool", "completed", {"ok": True})
    run = Run.all_tenants.get(pk=told["id"])
    assert (run.kind, run.status) == ("tool", "completed") and told["execution_time_ms"] >= 0


def test_the_body_is_the_callers_own(front: Front, token: str, far_end: FarEnd) -> None:
    url = tool(front, token, "http", {"url": far_end.url})
    row(front, url, token, {"tenant_id": "not ours", "user_id": 5})
    assert json.loads(far_end.hits[0].body) == {"tenant_id": "not ours", "user_id": 5}


@pytest.mark.parametrize("status", [400, 500])
def test_a_failing_tool_is_a_failed_row(front: Front, token: str, far_end: FarEnd, status: int) -> None:
    far_end.answer = lambda _: (status, {}, b"broken")
    told = row(front, tool(front, token, "http", {"url": far_end.url}), token, {"q": "x"})
    assert (told["status"], told["output_data"]) == ("failed", None) and f"answered {status}" in told["error_message"]
    assert len(far_end.hits) == 1


def test_a_wrong_input_begins_nothing(front: Front, token: str) -> None:
    answer = front.post(f"{URL}/memory.store/execute", token, {"type": "eternal", "content": "x"})
    assert answer.status_code == 400 and list(answer.json()["context"]["errors"]) == ["type"]
    answer = front.post(f"{URL}/natural_language_db_write/execute", token, {"query": "x"})
    assert (answer.status_code, answer.json()["errorCode"]) == (403, "SCOPE_DENIED")
    assert front.post(f"{URL}/ghost/execute", token, {}).status_code == 404
    assert not Run.all_tenants.exists()


def test_the_same_key_is_the_same_execution(front: Front, token: str, far_end: FarEnd) -> None:
    url, key = tool(front, token, "http", {"url": far_end.url}), {"Idempotency-Key": "once"}
    first, again = (front.post(url, token, {"q": "x"}, headers=key) for _ in range(2))
    assert first.json()["id"] == again.json()["id"] and len(far_end.hits) == 1
    assert again.headers["Idempotency-Replayed"] == "true"


def test_memories_are_stored_and_found(front: Front, token: str) -> None:
    stored = row(front, f"{URL}/memory.store/execute", token, {"content": "Guest 12 prefers tea", "owner_type": "user"})
    found = row(front, f"{URL}/memory.search/execute", token, {"query": "what does guest 12 like to drink, tea?"})
    assert [memory["memory_id"] for memory in found["output_data"]] == [stored["output_data"]["memory_id"]]
    theirs = {"content": "x", "owner_type": "user", "owner_id": "00000000-0000-4000-8000-000000000000"}
    assert "owner_id" in row(front, f"{URL}/memory.store/execute", token, theirs)["error_message"]


def test_files_are_written_and_read_as_text(front: Front, token: str) -> None:
    page = base64.b64encode(b"<p>Room 204</p><script>x</script>").decode()
    given = {"path": "pages/a.html", "content": page, "encoding": "base64", "mime_type": "text/html"}
    written = row(front, f"{URL}/files.write/execute", token, given)["output_data"]
    read = row(front, f"{URL}/files.read/execute", token, {"path": "pages/a.html"})["output_data"]
    assert read["content"] == "Room 204" and read["file_id"] == written["file_id"]
    assert row(front, f"{URL}/files.list/execute", token, {"prefix": "pages/"})["output_data"]["total"] == 1
    assert row(front, f"{URL}/files.read/execute", token, {"path": "pages/none"})["status"] == "failed"
    for path in ("../x", " ", "docs/ ", "docs/\u3000/a.md", "\u200b"):
        refused = front.post(f"{URL}/files.write/execute", token, {"path": path, "content": ""})
        assert refused.status_code == 400 and list(refused.json()["context"]["errors"]) == ["path"], refused.text


def test_a_remote_tool_gets_a_signed_call_and_its_secret_is_shown_once(
    front: Front, token: str, far_end: FarEnd
) -> None:
    body = {"id": "my.tool", "name": "T", "handler_type": "remote", "handler_config": {"url": far_end.url}}
    secret = front.post(URL, token, body).json()["handler_config"]["secret"]
    assert secret.startswith("whsec_") and secret not in front.request("GET", f"{URL}/my.tool", token).text
    row(front, f"{URL}/my.tool/execute", token, {"q": "x"})
    hit = far_end.hits[0]
    told = Webhook(secret).verify(hit.body.decode(), hit.headers)
    assert (told["tool_id"], told["input"]) == ("my.tool", {"q": "x"}) and told["context"]["tenant_id"] == "acme"


def test_a_remote_server_that_keeps_failing_is_left_alone(front: Front, token: str, far_end: FarEnd) -> None:
    far_end.answer = lambda _: (503, {}, b"")
    url = tool(front, token, "remote", {"url": far_end.url})
    told = [row(front, url, token, {})["error_message"] for _ in range(7)]
    assert len(far_end.hits) == 5 and all("left alone" in text for text in told[5:])


def test_an_mcp_tool_is_called_on_a_real_server(front: Front, token: str, settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    with McpPeer() as peer:
        url = tool(front, token, "mcp", {"url": peer.url, "tool": "add", "headers": {"X-Key": "k"}})
        assert row(front, url, token, {"a": 2, "b": 3})["output_data"] == {"result": 5}
        assert peer.seen["x-key"] == "k"
        assert "The MCP tool failed" in tool_error(front, token, peer, "break_it")


def tool_error(front: Front, token: str, peer: McpPeer, name: str) -> str:
    """Why a tool of the server failed."""
    url = tool(front, token, "mcp", {"url": peer.url, "tool": name})
    return str(row(front, url, token, {})["error_message"])


def test_an_mcp_server_on_a_private_address_is_not_called(front: Front, token: str, settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    with McpPeer() as peer:
        url = tool(front, token, "mcp", {"url": peer.url, "tool": "add"})
        settings.OUTBOUND_ALLOW = []
        assert row(front, url, token, {"a": 1, "b": 1})["status"] == "failed" and not peer.seen


def test_an_mcp_server_that_is_not_there_is_unavailable(front: Front, token: str, settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    url = tool(front, token, "mcp", {"url": "http://127.0.0.1:9/", "tool": "add"})
    told = row(front, url, token, {"a": 1, "b": 1})["error_message"]
    assert "127.0.0.1" in told and "except*" not in told


CODE = """
import os, socket, time

def run(input):
    print("noise")
    if input.get("do") == "network":
        socket.create_connection(("127.0.0.1", input["port"]), 1)
    if input.get("do") == "files":
        return {"home": os.listdir("/root") if os.path.exists("/root") else None, "env": dict(os.environ)}
    if input.get("do") == "fork":
        made = 0
        try:
            while made < 200:
                if os.fork() == 0:
                    time.sleep(60)
                made += 1
        except OSError:
            return {"made": made}
        return {"made": made}
    if input.get("do") == "fill":
        told = []
        for folder in ("/", "/dev", "/dev/shm"):
            try:
                open(folder + "/x", "w")
            except OSError:
                told.append(folder)
        return {"refused": told}
    if input.get("do") == "loop":
        while True: pass
    if input.get("do") == "memory":
        return {"n": len("x" * 2_000_000_000)}
    return {"double": input["n"] * 2}
"""


def test_code_runs_in_the_sandbox_or_not_at_all(
    front: Front, token: str, far_end: FarEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED", "secret-of-the-worker")
    url = tool(front, token, "code", {"code": CODE})
    told = row(front, url, token, {"n": 21})
    if reason := sandboxed_command.unavailable_reason():
        assert told["status"] == "failed" and reason in told["error_message"]
        return
    assert told["output_data"] == {"double": 42}
    assert row(front, url, token, {"do": "network", "port": far_end.port})["status"] == "failed"
    assert far_end.connections == 0
    seen = row(front, url, token, {"do": "files"})["output_data"]
    assert "secret-of-the-worker" not in str(seen) and set(seen["env"]) <= {"PATH", "HOME", "LANG", "PWD", "LC_CTYPE"}
    assert row(front, url, token, {"do": "memory"})["status"] == "failed"
    assert row(front, url, token, {"do": "fork"})["output_data"]["made"] < 40
    assert row(front, url, token, {"do": "fill"})["output_data"] == {"refused": ["/", "/dev", "/dev/shm"]}
    assert "longer than" in row(front, url, token, {"do": "loop"})["error_message"]


@pytest.mark.parametrize(
    "kind,config,word",
    [
        ("code", {}, "code"),
        ("code", {"code": "def run(:"}, "code"),
        ("code", {"code": "x = 1"}, "run(input)"),
        ("code", {"code": "def run(input): 1", "language": "perl"}, "language"),
        ("mcp", {"url": "http://127.0.0.1:9/"}, "tool"),
        ("mcp", {"url": "file:///x", "tool": "t"}, "url"),
        ("remote", {"url": "http://10.0.0.1/"}, "url"),
        ("remote", {"url": "http://127.0.0.1:9/", "secret": "short"}, "secret"),
    ],
)
def test_a_wrong_config_is_refused(front: Front, token: str, settings: Any, kind: str, config: Any, word: str) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    answer = front.post(URL, token, {"id": "x", "name": "T", "handler_type": kind, "handler_config": config})
    assert answer.status_code == 400 and word in answer.json()["message"], answer.text
