"""The product behind PgBouncer: requests through it, engines past it, and who refuses to work at the wrong address."""

import os
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest
from django.db import connection as django_connection

from config import embedded_servers
from config.launch import command_lines
from tests.front import frames
from tests.pooler import direct_url, needs_pgbouncer, own_folder, pooler
from tests.product import GENEROUS, NOT_INHERITED, Product, free_port, fresh_folder, started

pytestmark = [
    needs_pgbouncer,
    pytest.mark.skipif(bool(os.environ.get("DATABASE_URL")), reason="the tests' own PostgreSQL is not ours to pool"),
]
ADVICE = "ENGINE_DATABASE_URL leads to a pooler that gives each transaction another session"
PATIENCE_S = 60
CLIENTS, RUNS = 4, 6


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """An empty database of the tests' own PostgreSQL."""
    name = f"pooled_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(embedded_servers.database_url(own_folder()), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield name
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="module", params=["transaction", "session"])
def product(request: pytest.FixtureRequest, database: str) -> Iterator[Product]:
    """A product whose web works through a pooler in this mode; in session mode its engines do, too."""
    own, few = own_folder(), request.param == "transaction"
    with pooler(own, request.param, sessions=3 if few else 90) as bouncer:
        addresses = {"DATABASE_URL": bouncer.url(database), "SECRET_KEY": uuid.uuid4().hex * 2}
        if few:
            addresses["ENGINE_DATABASE_URL"] = direct_url(own, database)
        with fresh_folder() as folder, started(folder, **addresses) as one:
            yield one.ready()


class Member:
    """The first member of a new tenant, over HTTP."""

    def __init__(self, url: str) -> None:
        self.tenant = f"tenant-{uuid.uuid4().hex[:8]}"
        self.client = httpx.Client(base_url=f"{url}/api/v1", timeout=PATIENCE_S)
        who = {"email": f"{self.tenant}@example.com", "password": "correct-Horse-7", "name": self.tenant}
        answer = self.client.post("/auth/register", json=who | {"tenant_id": self.tenant})
        assert answer.status_code == 201, answer.text
        self.client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def workflow(self) -> str:
        """The id of a new workflow."""
        node = {"id": "start", "type": "static", "config": {"output": {"done": True}}}
        body = {"name": self.tenant, "type": "linear", "definition": {"nodes": [node], "edges": []}}
        answer = self.client.post("/workflows", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def run(self, workflow: str) -> dict[str, Any]:
        """A new run, once it has come to its end."""
        run = self.client.post(f"/workflows/{workflow}/runs", json={"input": {}, "mode": "auto"}).json()
        while run["status"] in ("pending", "running"):
            run = self.client.get(f"/runs/{run['id']}", headers={"Prefer": "wait=20"}).json()
        return run


def test_readyz_tells_whom_requests_work_as(product: Product) -> None:
    body = httpx.get(f"{product.url}/readyz").json()
    assert (body["database_role"], body["engine_database"], body["problems"]) == ("regente_app", "connected", {})


def test_runs_complete_and_tenants_are_kept_apart_at_the_same_time(product: Product) -> None:
    members = [Member(product.url) for _ in range(CLIENTS)]
    failures: list[BaseException] = []

    def work(member: Member) -> None:
        try:
            workflow, runs = member.workflow(), set()
            for _ in range(RUNS):
                run = member.run(workflow)
                assert run["status"] == "completed", run
                runs.add(run["id"])
                assert [row["id"] for row in member.client.get("/workflows").json()["data"]] == [workflow]
                assert {row["id"] for row in member.client.get("/runs").json()["data"]} == runs
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=[member]) for member in members]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_a_stream_tells_of_a_run_to_its_end(product: Product) -> None:
    member = Member(product.url)
    run = member.client.post(f"/workflows/{member.workflow()}/runs", json={"input": {}, "mode": "auto"}).json()
    messages = frames(member.client.get(f"/runs/{run['id']}/stream"))
    assert messages[0]["type"] == "connected"
    assert messages[-1] == {"type": "complete", "status": "completed"}


def test_a_database_that_is_only_reached_through_a_pooler_is_not_prepared(database: str) -> None:
    with pooler(own_folder(), "transaction") as bouncer, fresh_folder() as folder:
        addresses = {"DATABASE_URL": bouncer.url(database), "SECRET_KEY": uuid.uuid4().hex * 2}
        with started(folder, **addresses) as refused:
            assert refused.process.wait(PATIENCE_S) != 0
            refused.reader.join(PATIENCE_S)
            assert refused.says(ADVICE)
    assert "Traceback" not in str(refused)


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_worker_at_a_shared_address_refuses_to_start(database: str, mode: str) -> None:
    with pooler(own_folder(), mode) as bouncer:
        worker = subprocess.run(
            command_lines.worker(), env=environment(bouncer.url(database)), capture_output=True, text=True, check=False,
            timeout=PATIENCE_S, cwd=embedded_servers.BASE_DIR,
        )  # fmt: skip
    assert worker.returncode != 0
    assert f"The engine refuses to start: {ADVICE}" in worker.stderr


def environment(url: str, **more: str) -> dict[str, str]:
    """The environment of one of the product's programs, on the tests' own Redis."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    secret = {"SECRET_KEY": os.environ["SECRET_KEY"], "DJANGO_SETTINGS_MODULE": "config.settings"}
    return kept | GENEROUS | secret | {"DATABASE_URL": url} | more


@contextmanager
def web(url: str) -> Iterator[str]:
    """The web server alone, at this database: its own URL."""
    port = str(free_port())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PORT", port)
        command = command_lines.web()
    process = subprocess.Popen(command, env=environment(url), cwd=embedded_servers.BASE_DIR)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def test_a_web_process_that_cannot_be_its_role_serves_nothing_and_says_why(transactional_db: None) -> None:
    name = django_connection.settings_dict["NAME"]
    with psycopg.connect(embedded_servers.database_url(own_folder()), autocommit=True) as connection:
        connection.execute("CREATE ROLE regente_test_stranger LOGIN")
        try:
            url = direct_url(own_folder(), name).replace("postgres@", "regente_test_stranger@")
            with web(url) as address:
                check_refusal(address)
        finally:
            connection.execute("DROP ROLE regente_test_stranger")


def check_refusal(address: str) -> None:
    """Requests, and /readyz, say that the role is missing and how it is given."""
    remedy = 'may not work as regente_app: GRANT regente_app TO "regente_test_stranger".'
    transport = httpx.HTTPTransport(retries=8)
    with httpx.Client(base_url=address, transport=transport, timeout=PATIENCE_S) as client:
        answer = client.post("/api/v1/auth/login", json={"email": "a@example.com", "password": "correct-Horse-7"})
        assert answer.status_code == 503, answer.text
        assert remedy in str(answer.json()), answer.text
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert remedy in ready.json()["problems"]["isolation"]
