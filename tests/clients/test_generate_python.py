"""A Python client that openapi-python-client generates: without warnings, and good for the README's first story."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestration.serializers.definition import EXAMPLE
from tests.clients.conftest import Account
from tests.product import Product

CONFIG = Path(__file__).parent / "python_client.yaml"
PACKAGE = "regente_client"


def generate(document: Path, folder: Path) -> str:
    """What the generator prints; the client is the package PACKAGE in the folder."""
    command = [str(Path(sys.executable).parent / "openapi-python-client"), "generate", "--meta", "none"]
    command += ["--path", str(document), "--output-path", str(folder / PACKAGE), "--config", str(CONFIG)]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return result.stdout + result.stderr


def test_the_client_comes_without_warnings_and_approves_a_refund(
    live: Product, account: Account, document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "warning" not in generate(document, tmp_path).lower()
    monkeypatch.syspath_prepend(tmp_path)
    models: Any = importlib.import_module(f"{PACKAGE}.models")
    client: Any = importlib.import_module(f"{PACKAGE}.client")

    def call(operation: str, *ids: str, **arguments: Any) -> Any:
        return importlib.import_module(f"{PACKAGE}.api.{operation}").sync(*ids, **arguments)

    anybody = client.Client(base_url=live.url)
    session = call("sign_in.auth_login", client=anybody, body=models.LoginRequest(account.email, account.password))
    user = client.AuthenticatedClient(base_url=live.url, token=session.access_token, timeout=40)
    body = models.WorkflowRequest.from_dict({"name": "Refund", "type": "graph", "definition": EXAMPLE})
    workflow = call("workflows.workflows_create", client=user, body=body)
    start = models.RunStartRequest.from_dict({"input": {"sum": 120}, "mode": "auto"})
    run = call("workflows.workflows_start_run", str(workflow.id), client=user, body=start)
    while run.status in ("pending", "running"):
        run = call("runs.runs_get", str(run.id), client=user, prefer="wait=30")
    assert run.status == "paused"
    verdict = models.PatchedResumeRequest.from_dict({"approval_input": {"approved": True, "comment": "fine"}})
    run = call("runs.runs_resume", str(run.id), client=user, body=verdict)
    while run.status not in ("completed", "failed", "cancelled"):
        run = call("runs.runs_get", str(run.id), client=user, prefer="wait=30")
    assert (run.status, run.result) == ("completed", {"refunded": True})
    events = call("runs.runs_events", str(run.id), client=user)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
