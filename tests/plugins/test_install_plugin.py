"""A package from outside the tree, installed by pip as docs/plugins.md says, and each sort of thing that it brings."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from config import embedded_servers
from tests.product import fresh_folder, started

PAGE = (embedded_servers.BASE_DIR / "docs" / "plugins.md").read_text()
(MODULE,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(PROJECT,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
WAIT = {"Prefer": "wait=30"}


@pytest.fixture(scope="module")
def site() -> Iterator[Path]:
    """A folder of installed packages that has the page's plug-in."""
    with fresh_folder() as folder:
        source, target = folder / "source", folder / "site"
        source.mkdir()
        (source / "acme_regente.py").write_text(MODULE)
        (source / "pyproject.toml").write_text(PROJECT)
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", target]
        subprocess.run([*pip, source], check=True, timeout=120)
        yield target


@pytest.fixture(scope="module")
def api(site: Path) -> Iterator[httpx.Client]:
    """A client of a product that has the plug-in, as a developer of a tenant of its own."""
    with fresh_folder() as folder, started(folder, PYTHONPATH=str(site)) as product:
        product.says(r"^ready ", patience_s=240)
        client = httpx.Client(base_url=product.url, timeout=120)
        account = {"email": "dev@example.com", "password": "correct-Horse-7", "name": "Dev"}
        login = client.post("/api/v1/auth/register", json=account).json()
        client.headers["Authorization"] = f"Bearer {login['access_token']}"
        yield client
        client.close()


Post = Callable[..., Any]


@pytest.fixture
def post(api: httpx.Client) -> Post:
    """POST a body and give the JSON of the answer, which is no error."""

    def send(path: str, body: Any, **headers: str) -> Any:
        answer = api.post(path, json=body, headers=headers)
        assert answer.status_code < 300, answer.text
        return answer.json()

    return send


def workflow(post: Post, type: str, config: dict[str, Any]) -> str:
    definition = {"nodes": [{"id": "one", "type": type, "config": config}], "edges": []}
    id: str = post("/api/v1/workflows", {"name": type, "type": "graph", "definition": definition})["id"]
    return id


def result(api: httpx.Client, post: Post, workflow_id: str, input: dict[str, Any]) -> Any:
    run = post(f"/api/v1/workflows/{workflow_id}/runs", {"input": input})
    return finished(api, run["id"])["result"]


def finished(api: httpx.Client, run_id: str) -> Any:
    return settled(api, f"/api/v1/runs/{run_id}")


def settled(api: httpx.Client, path: str) -> Any:
    """What is there once it is neither waiting nor under way."""
    row = api.get(path, headers=WAIT).json()
    while row["status"] in ("pending", "running"):
        row = api.get(path, headers=WAIT).json()
    return row


def test_the_sample_is_short() -> None:
    assert len([line for line in MODULE.splitlines() if line.strip()]) <= 30


def test_a_workflow_runs_its_node_type_and_its_tool(api: httpx.Client, post: Post) -> None:
    shout = workflow(post, "acme.shout", {"text": "$input.word"})
    reverse = workflow(post, "tool", {"tool_id": "acme.reverse", "input": {"text": "$input.word"}})
    assert result(api, post, shout, {"word": "hey"}) == {"text": "HEY"}
    assert result(api, post, reverse, {"word": "abc"}) == {"text": "cba"}
    assert post("/api/v1/tools/acme.reverse/execute", {"text": "xyz"})["output_data"] == {"text": "zyx"}


def test_the_parser_checks_its_config(api: httpx.Client) -> None:
    definition = {"nodes": [{"id": "one", "type": "acme.shout", "config": {"text": 5}}], "edges": []}
    answer = api.post("/api/v1/workflows", json={"name": "x", "type": "graph", "definition": definition})
    assert answer.status_code == 400
    assert list(answer.json()["context"]["errors"]) == ["definition.nodes[0].config.text"]


def test_a_reference_that_does_not_fit_fails_the_step(api: httpx.Client, post: Post) -> None:
    shout = workflow(post, "acme.shout", {"text": "$input.list"})
    run = finished(api, post(f"/api/v1/workflows/{shout}/runs", {"input": {"list": [1]}})["id"])
    assert run["status"] == "failed" and "text" in run["result"]["error"]


def test_its_program_is_started_once_for_a_key(api: httpx.Client, post: Post) -> None:
    path, body = "/api/v1/programs/acme.greet/runs", {"input": {"text": "Ana"}, "mode": "auto"}
    first, again = (api.post(path, json=body, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json() and again.headers["Idempotency-Replayed"] == "true"
    assert finished(api, first.json()["id"])["result"] == {"text": "Hello, Ana"}


def test_its_input_is_checked_by_the_schema(api: httpx.Client) -> None:
    answer = api.post("/api/v1/programs/acme.greet/runs", json={"input": {}})
    assert answer.status_code == 400
    assert answer.json()["context"]["errors"] == {"input.text": ["This field is required."]}


@pytest.mark.parametrize("kind", ["acme.none", "workflow", "task", "apply"])
def test_other_kinds_are_not_found(api: httpx.Client, kind: str) -> None:
    assert api.post(f"/api/v1/programs/{kind}/runs", json={"input": {}}).status_code == 404


def test_policies_judge_its_start(api: httpx.Client, post: Post) -> None:
    rule = {"condition": {"run.kind": "acme.greet", "input.text": "Eve"}, "effect": "deny"}
    post("/api/v1/policies", {"name": "No Eve", "scope": "tenant", "rule_expr": rule})
    assert api.post("/api/v1/programs/acme.greet/runs", json={"input": {"text": "Eve"}}).status_code == 403


def test_its_job_agent_does_a_job(api: httpx.Client, post: Post) -> None:
    body = {"input": {"text": "one two three"}, "idempotency_key": "count:1"}
    job = post("/api/ai/agents/acme_count/run/", body)
    detail = settled(api, f"/api/ai/jobs/{job['job_id']}/")
    assert (detail["status"], detail["output_data"]) == ("succeeded", {"text": "3"})


def test_its_model_answers_an_agent(api: httpx.Client, post: Post) -> None:
    profile = {"model": "acme/model-1"}
    post("/api/v1/agents", {"id": "clerk", "name": "Clerk", "instructions": "Help.", "model_profile": profile})
    clerk = workflow(post, "agent", {"agent_id": "clerk", "prompt": "Good day"})
    assert result(api, post, clerk, {})["text"] == "model-1 has read: Good day"


def test_the_document_has_the_route(api: httpx.Client) -> None:
    assert "post" in api.get("/openapi.json").json()["paths"]["/api/v1/programs/{kind}/runs"]


def command(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What manage.py says with the packages of this folder installed."""
    environment = os.environ | {"PYTHONPATH": str(site), "SECRET_KEY": "x" * 40}
    line = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        line, cwd=embedded_servers.BASE_DIR, env=environment, capture_output=True, text=True, timeout=120
    )


def test_the_command_shows_what_it_registers(site: Path) -> None:
    done = command(site, "plugins", "--json")
    (plugin,) = json.loads(done.stdout)
    assert done.returncode == 0 and (plugin["name"], plugin["version"]) == ("acme", "1.0.0")
    assert plugin["entries"] == {
        "programs": ["acme.greet"],
        "node types": ["acme.shout"],
        "tools": ["acme.reverse"],
        "job agents": ["acme_count"],
        "model providers": ["acme"],
    }
    assert "acme.reverse" in command(site, "plugins").stdout


BROKEN = {
    "raise RuntimeError('no licence')": "no licence",
    "x = 1": "registers nothing",
    "from orchestration.program.registry import node\nnode('wait')(print)": "'wait' of the node types",
    "from agents.tools.registry import tool\ntool('acme.t', 'T', 'T', {'type': 5})(print)": "'acme.t' of the tools",
}


@pytest.mark.parametrize("source", BROKEN)
def test_one_that_cannot_be_used_is_named_and_nothing_starts(tmp_path: Path, source: str) -> None:
    info = tmp_path / "broken-2.0.dist-info"
    info.mkdir()
    (tmp_path / "broken_plugin.py").write_text(source)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text("[regente.plugins]\nbroken = broken_plugin\n")
    shown, refused = command(tmp_path, "plugins"), command(tmp_path, "check")
    assert shown.returncode == 1 and "cannot be used" in shown.stdout
    assert refused.returncode == 1 and "pip uninstall broken" in refused.stderr and BROKEN[source] in refused.stderr
    assert "Traceback" not in refused.stderr


def test_without_plugins_the_command_says_so(tmp_path: Path) -> None:
    done = command(tmp_path, "plugins")
    assert done.returncode == 0 and "No plug-ins are installed" in done.stdout
