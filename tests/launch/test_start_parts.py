"""Each part by itself, as docker-compose.yml starts it; what /readyz says of one that is missing."""

from collections.abc import Iterator

import httpx
import psycopg
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.durability.stand import FINAL, until
from tests.parts import LONG_LIVED, VALUES, Parts, parts

OWNER = "postgresql://regente:{password}@127.0.0.1:{port}/regente"


@pytest.fixture(scope="module")
def up() -> Iterator[Parts]:
    """All parts, ready."""
    with parts() as one:
        prepared = one.run("prepare")
        assert prepared.returncode == 0, prepared.stderr
        for name in LONG_LIVED:
            one.start(name)
        assert until(lambda: one.readyz().get("status") == "ready" or one.dead(), 90, "ready")
        assert not one.dead(), one.log(one.dead()[0])
        yield one


def test_all_parts_are_up_on_empty_folders(up: Parts) -> None:
    body = up.readyz()
    assert (body["code"], body["status"], body["problems"]) == (200, "ready", {})
    assert (body["database"], body["broker"], body["scheduler"], body["engines"]) == (
        "connected", "connected", "alive", 1,
    )  # fmt: skip


def test_the_application_is_no_superuser_and_its_operator_logs_in(up: Parts) -> None:
    with psycopg.connect(OWNER.format(password=VALUES["DATABASE_PASSWORD"], port=up.database.port)) as connection:
        row = connection.execute(
            "SELECT current_user, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        )
        assert row.fetchone() == ("regente", False, False)
    names = ("EMAIL", "PASSWORD")
    body = {name.lower(): VALUES[f"DJANGO_SUPERUSER_{name}"] for name in names}
    assert httpx.post(f"{up.url}/api/v1/auth/login", json=body, timeout=30).status_code == 200


def test_a_run_is_done_and_a_table_is_made(up: Parts) -> None:
    body = {"email": "founder@example.com", "password": "correct-Horse-7", "tenant_id": "parts"}
    token = httpx.post(f"{up.url}/api/v1/auth/register", json=body, timeout=30).json()["access_token"]
    with httpx.Client(base_url=f"{up.url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=40) as client:
        nodes = [{"id": "one", "type": "static", "config": {"output": {"answer": 42}}}]
        flow = client.post("/workflows", json={"name": "f", "definition": {"nodes": nodes}}).json()["id"]
        run = client.post(f"/workflows/{flow}/runs", json={"input": {}}).json()["id"]
        row = until(lambda: row if (row := client.get(f"/runs/{run}").json())["status"] in FINAL else {}, 30, "an end")
        assert (row["status"], row["result"]) == ("completed", {"answer": 42})
        made = client.post("/data/tables", json={"name": "stock", "rows": [{"item": "soap", "left": 9}]})
        assert made.status_code == 201, made.text


def test_a_suspended_tenants_sockets_are_refused_and_its_runs_wait(up: Parts) -> None:
    body = {"email": "late@example.com", "password": "correct-Horse-7", "tenant_id": "late"}
    token = httpx.post(f"{up.url}/api/v1/auth/register", json=body, timeout=30).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"{up.url}/api/v1", headers=headers, timeout=40) as client:
        nodes = [{"id": "pause", "type": "wait", "config": {"event": "go"}}]
        flow = client.post("/workflows", json={"name": "f", "definition": {"nodes": nodes}}).json()["id"]
        run = client.post(f"/workflows/{flow}/runs", json={"input": {}}).json()["id"]
        until(lambda: client.get(f"/runs/{run}").json()["status"] == "running", 30, "running")
    set_suspended(up, "late", True)
    with connect(f"ws://127.0.0.1:{up.port}/ws/runs/{run}/monitor", additional_headers=headers) as monitor:
        with pytest.raises(ConnectionClosed) as closed:
            monitor.recv(30)
        assert closed.value.rcvd and closed.value.rcvd.code == 1008
        assert closed.value.rcvd.reason.startswith("This tenant is suspended")
    set_suspended(up, "late", False)
    with httpx.Client(base_url=f"{up.url}/api/v1", headers=headers, timeout=40) as client:
        assert client.post(f"/runs/{run}/events", json={"name": "go", "payload": 1}).status_code < 300
        until(lambda: client.get(f"/runs/{run}").json()["status"] == "completed", 30, "completed")


def set_suspended(up: Parts, tenant: str, value: bool) -> None:
    """As the admin's page does it."""
    with psycopg.connect(OWNER.format(password=VALUES["DATABASE_PASSWORD"], port=up.database.port)) as connection:
        connection.execute("UPDATE accounts_tenant SET suspended = %s WHERE id = %s", [value, tenant])


@pytest.mark.parametrize("name", LONG_LIVED)
def test_the_health_check_of_compose_says_that_a_part_works(up: Parts, name: str) -> None:
    checked = up.health(name)
    assert checked.returncode == 0, checked.stderr


def test_a_missing_scheduler_is_named_and_comes_back(up: Parts) -> None:
    up.kill("scheduler")
    body = until(lambda: body if (body := up.readyz()).get("scheduler") == "missing" else {}, 30, "missing")
    assert (body["code"], body["status"]) == (200, "degraded")
    assert "config.launch scheduler" in body["problems"]["scheduler"]
    checked = up.health("scheduler")
    assert (checked.returncode, checked.stderr.strip()) == (1, "the scheduler gives no sign of life")
    up.start("scheduler")
    until(lambda: up.readyz().get("status") == "ready", 60, "ready again")


def test_a_missing_worker_is_named_and_comes_back(up: Parts) -> None:
    up.kill("worker")
    body = until(lambda: body if (body := up.readyz()).get("engines") == 0 else {}, 30, "no engine")
    assert (body["code"], body["status"], list(body["problems"])) == (503, "unavailable", ["engines"])
    up.start("worker")
    until(lambda: up.readyz().get("status") == "ready", 60, "ready again")


def test_a_web_server_before_prepare_says_what_to_run() -> None:
    with parts() as one:
        one.start("web")
        body = until(one.readyz, 60, "an answer")
        assert (body["code"], body["database"]) == (503, "error")
        assert "config.launch prepare" in body["problems"]["database"]


def test_a_data_folder_that_cannot_be_made_is_named(up: Parts) -> None:
    (up.folder / "file").write_text("")
    refused = up.run("scheduler", DATA_DIR=str(up.folder / "file"))
    assert refused.returncode != 0 and refused.stderr.startswith("DATA_DIR: cannot ")
    assert "Traceback" not in refused.stderr
