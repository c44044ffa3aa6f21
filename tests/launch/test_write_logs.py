"""The logs of a product that runs with LOG_FORMAT=json: web, worker and scheduler write objects, a line each."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import pytest

from tests.orchestration.running import until
from tests.product import Product, fresh_folder, started

NAMES = ("web", "worker", "scheduler")
ACCOUNT = {"email": "logs@example.com", "password": "Logs-Pa55word!", "name": "Logs"}


@pytest.fixture(scope="module")
def json_product() -> Iterator[Product]:
    """One that logs as JSON."""
    with fresh_folder() as folder, started(folder, LOG_FORMAT="json") as product:
        yield product.ready()


def lines(product: Product, name: str) -> list[dict[str, Any]]:
    """The log of a program."""
    text = (product.data_dir / "log" / f"{name}.log").read_text()
    return [json.loads(line) for line in text.rpartition("\n")[0].splitlines()]


def failed_run(product: Product, trace: str) -> dict[str, Any]:
    """A run that has failed."""
    with httpx.Client(base_url=f"{product.url}/api/v1", timeout=60) as client:
        assert client.post("/auth/register", json=ACCOUNT).status_code == 201
        token = client.post("/auth/login", json=ACCOUNT).json()["access_token"]
        client.headers.update({"Authorization": f"Bearer {token}", "X-Trace-ID": trace})
        wait = {"id": "wait", "type": "wait", "config": {"event": "paid", "timeout_s": 0.1}}
        flow = client.post("/workflows", json={"name": "W", "definition": {"nodes": [wait], "edges": []}}).json()
        run = client.post(f"/workflows/{flow['id']}/runs", json={"input": {"word": "pineapple"}}).json()
        for _ in range(3):
            done: dict[str, Any] = client.get(f"/runs/{run['id']}", headers={"Prefer": "wait=20"}).json()
            if done["status"] == "failed":
                return done
    raise AssertionError(done)


def test_a_failed_run_is_one_object_in_the_workers_log(json_product: Product) -> None:
    run = failed_run(json_product, "trace-json-1")
    found = [line for line in lines(json_product, "worker") if line["run"] == run["id"] and "failed" in line["message"]]
    assert [(line["tenant"], line["trace"], line["reason"]) for line in found] == [
        (run["tenant_id"], "trace-json-1", "timeout")
    ]
    assert "pineapple" not in json.dumps(found)


def test_every_line_of_our_programs_is_an_object(json_product: Product) -> None:
    written = {name: lines(json_product, name) for name in NAMES}
    assert written["worker"], "a worker says that its engine is there"
    for found in written.values():
        assert all({"time", "level", "logger", "message", "run", "tenant", "trace"} <= set(line) for line in found)


def test_the_death_of_a_workers_process_is_an_object(json_product: Product) -> None:
    worker = psutil.Process(json_product.pid_of("worker"))
    child = next(one for one in worker.children() if "solitary" not in " ".join(one.cmdline()))
    child.kill()
    found = until(lambda: [line for line in lines(json_product, "worker") if "exited with" in line["message"]])
    assert found[0]["logger"] == "multiprocessing" and str(child.pid) in found[0]["message"]
