"""The stand: a product with a tenant, a tool and workflows on it, and the hands that start, look, and kill by pid."""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import psycopg
from psycopg.rows import dict_row

from config import embedded_servers
from config.launch import supervisor
from tests.durability.effects import EffectServer
from tests.model_server import ModelServer
from tests.product import Product, started

LEASE_S = 5.0  # ENGINE_LEASE_S as it is shipped
FINAL = ("completed", "failed", "cancelled")
TOOL, AGENT = "durability.effect", "durability.agent"
LIVE_ENGINES = "SELECT owner, pid FROM orchestration_engine WHERE lease_until > now() AND NOT solitary"
OWNED = "SELECT id::text FROM orchestration_run WHERE owner = ANY(%s)"
STATES = "SELECT id::text, status FROM orchestration_run WHERE id = ANY(%s::uuid[])"


T = TypeVar("T")


def until(condition: Callable[[], T], patience_s: float, what: str) -> T:
    """What the condition gives once it is true; an AssertionError naming `what` when that takes too long."""
    end = time.monotonic() + patience_s
    while not (found := condition()):
        assert time.monotonic() < end, f"after {patience_s:.0f} s still not: {what}"
        time.sleep(0.02)
    return found


@dataclass
class Kill:
    """A moment at which engines were ended or frozen, and the runs that they held."""

    at: float
    what: str
    pids: list[int]
    runs: set[str] = field(default_factory=set)


class Member:
    """Somebody with an account: one HTTP client, made for one thread."""

    def __init__(self, url: str, token: str, tenant: str) -> None:
        self.url, self.token, self.tenant = url, token, tenant
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=15)

    def twin(self) -> "Member":
        """The same account with a client of its own."""
        return Member(self.url, self.token, self.tenant)

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """The answer to a POST below /api/v1."""
        return self.http.post(f"/api/v1{path}", json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def get(self, path: str, **headers: str) -> httpx.Response:
        """The answer to a GET below /api/v1."""
        return self.http.get(f"/api/v1{path}", headers={k.replace("_", "-"): v for k, v in headers.items()})

    def made(self, path: str, body: Any) -> dict[str, Any]:
        """What a POST has created."""
        answer = self.post(path, body)
        assert answer.status_code == 201, f"POST {path} answered {answer.status_code}: {answer.text}"
        return answer.json()

    def start(self, workflow: str, input: Any, **body: Any) -> str:
        """The id of a new run that acts."""
        return self.made(f"/workflows/{workflow}/runs", {"input": input, "mode": "auto", **body})["id"]


class Stand:
    """One running product and what the scenarios need of it."""

    def __init__(self, product: Product, effects: EffectServer, model: ModelServer, database: str = "") -> None:
        self.product, self.effects, self.model = product, effects, model
        self.database = database or embedded_servers.database_url(product.data_dir)
        self.founder = self.member("durability")
        config = {"url": f"{effects.url}/effect", "method": "POST"}
        tool = {"id": TOOL, "name": "Count", "handler_type": "http", "handler_config": config}
        self.founder.made("/tools", tool | {"side_effects": ["counts"]})
        profile = {"provider": "openai", "model": "gpt-4o-mini"}
        self.founder.made(
            "/agents", {"id": AGENT, "name": "Agent", "instructions": "Be brief.", "model_profile": profile}
        )

    def member(self, tenant: str) -> Member:
        """The founder of a new tenant."""
        body = {"email": f"{tenant}@example.com", "password": "correct-Horse-7", "name": tenant, "tenant_id": tenant}
        answer = httpx.post(f"{self.product.url}/api/v1/auth/register", json=body, timeout=30)
        assert answer.status_code == 201, answer.text
        return Member(self.product.url, answer.json()["access_token"], tenant)

    # ---- what is run

    def workflow(self, *nodes: dict[str, Any], by: Member | None = None) -> str:
        """The id of a new workflow of these nodes in a row."""
        body = {"name": "flow", "type": "linear", "definition": {"nodes": list(nodes), "edges": []}}
        return (by or self.founder).made("/workflows", body)["id"]

    # ---- looking

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """The query's rows, as soon as PostgreSQL answers."""
        end = time.monotonic() + 60
        while True:
            try:
                with psycopg.connect(self.database, row_factory=dict_row, autocommit=True) as connection:
                    found = connection.execute(query, values or None)
                    return found.fetchall() if found.description else []
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def states(self, runs: list[str]) -> dict[str, str]:
        """Each of these runs' status; those that are nowhere are missing."""
        return {row["id"]: row["status"] for row in self.rows(STATES, runs)}

    def settled(self, runs: list[str], patience_s: float) -> dict[str, str]:
        """The runs' states once all of them are final, or after so long."""
        end = time.monotonic() + patience_s
        while True:
            states = self.states(runs)
            if all(states.get(run) in FINAL for run in runs) or time.monotonic() > end:
                return states
            time.sleep(0.1)

    # ---- hands

    def pid(self, name: str) -> int:
        """The pid of one of the supervisor's programs."""
        return self.product.pid_of(name)

    def engines(self) -> dict[int, str]:
        """The worker processes whose engines live: pid → owner."""
        found = {row["pid"]: row["owner"] for row in self.rows(LIVE_ENGINES)}
        return {pid: owner for pid, owner in found.items() if is_running(pid)}

    def both_engines(self, patience_s: float = 40.0) -> dict[int, str]:
        """The two engines, once both are there."""
        return until(lambda: found if len(found := self.engines()) == 2 else {}, patience_s, "two engines")

    def kill(self, pids: list[int], owners: list[str], what: str, number: int = signal.SIGKILL) -> Kill:
        """Signal these processes; the kill knows the runs that their engines held."""
        held = self.held_by(owners)
        kill = Kill(time.time(), what, pids, held)
        for pid in pids:
            os.kill(pid, number)
        kill.runs |= self.held_by(owners)
        return kill

    def held_by(self, owners: list[str]) -> set[str]:
        """The runs that these engines hold now."""
        return {row["id"] for row in self.rows(OWNED, owners)}

    def supervise(self, method: str, *arguments: object) -> object:
        """What the product's supervisor answers."""
        return supervisor.call(self.product.data_dir, method, *arguments)

    def family(self, *names: str) -> dict[int, str]:
        """The processes of these programs, their children included: pid → program."""
        found = {}
        for name in names:
            parent = psutil.Process(self.pid(name))
            found |= {process.pid: name for process in [parent, *parent.children(recursive=True)]}
        return found


def is_running(pid: int) -> bool:
    """True while it can do anything: one that has ended may wait for its parent to take note."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def tool(id: str, **input: Any) -> dict[str, Any]:
    """A node that calls the effect server."""
    return {"id": id, "type": "tool", "config": {"tool_id": TOOL, "input": input or {"delay_ms": "$input.delay_ms"}}}


def five_tools() -> list[dict[str, Any]]:
    """Five nodes that call the effect server, one after the other."""
    return [tool(f"step{number}") for number in range(1, 6)]


class Background(threading.Thread):
    """A thread whose exception comes out of `end`."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.work, self.fault = work, None
        self.start()

    def run(self) -> None:
        """Do the work."""
        try:
            self.work()
        except BaseException as fault:  # it belongs to the thread that waits for us
            self.fault = fault

    def end(self, patience_s: float = 120.0) -> None:
        """Return when the work is done."""
        self.join(patience_s)
        assert not self.is_alive(), "the work in the background does not end"
        if self.fault:
            raise self.fault


@contextmanager
def stood_up(data_dir: Path | None = None, database: str = "", **environment: str) -> Iterator[Stand]:
    """A stand on an empty data folder; `database` is how we reach PostgreSQL, when that is not in the folder."""
    with ExitStack() as up:
        folder = data_dir or Path(up.enter_context(tempfile.TemporaryDirectory(prefix="regente-chaos-")))
        folder.chmod(0o711)
        effects, model = up.enter_context(EffectServer()), up.enter_context(ModelServer())
        own = {"LLM_BASE_URL": model.url, "LLM_API_KEY": "sk-test", "LLM_MODEL": "openai/gpt-4o-mini"}
        own |= {"WORKER_IMPORTS": "tests.durability.programs", "OUTBOUND_ALLOW": "127.0.0.1"}
        product = up.enter_context(started(folder, **own, **environment)).ready()
        yield Stand(product, effects, model, database)
