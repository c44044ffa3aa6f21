"""Monitors over real WebSockets of the whole product: what they tell, to whom, and what a client sees that was cut off.

The frames are held against docs/asyncapi.yaml.
"""

import json
import random
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import yaml
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.product import Product

SCHEMAS = yaml.safe_load(Path("docs/asyncapi.yaml").read_text())["components"]
PATIENCE_S = 60.0


class Client:
    """An account of its own tenant on the running product."""

    def __init__(self, product: Product, name: str) -> None:
        self.http = httpx.Client(base_url=product.url, timeout=PATIENCE_S)
        account = {"email": f"{name}@example.com", "password": "Watch-Pa55word!", "name": name, "tenant_name": name}
        response = self.http.post("/api/v1/auth/register", json=account)
        assert response.status_code in (200, 201), response.text
        logged_in = self.http.post("/api/v1/auth/login", json=account | {"name": name})
        self.token = logged_in.json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {self.token}"

    def post(self, path: str, body: Any) -> Any:
        """The body of the answer to a POST, which must be fine."""
        answer = self.http.post(f"/api/v1{path}", json=body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def agent(self, key: str, instructions: str) -> str:
        """A new agent's id."""
        self.post("/agents", {"id": key, "name": key, "instructions": instructions})
        return key

    def execution(self, *agent_ids: str) -> str:
        """The id of an execution of these agents, one after the other."""
        members = [
            {"agent_id": id, "execution_order": order, "input": {"source": "initial_prompt"}}
            for order, id in enumerate(agent_ids, start=1)
        ]
        definition = {"type": "sequential", "agents": members}
        team = self.post("/teams", {"name": "T", "agent_ids": list(agent_ids), "workflow_definition": definition})
        return str(self.post(f"/teams/{team['team_id']}/execute", {"initial_prompt": "Go."})["execution_id"])

    def dial(
        self, id: str, kind: str = "executions", sock: socket.socket | None = None, **query: Any
    ) -> ClientConnection:
        """A monitor."""
        query_string = "&".join(f"{name}={value}" for name, value in ({"token": self.token} | query).items())
        url = str(self.http.base_url).rstrip("/").replace("http", "ws", 1)
        return connect(
            f"{url}/ws/{kind}/{id}/monitor?{query_string}", proxy=None, sock=sock, max_queue=1, compression=None
        )


@pytest.fixture(scope="module")
def client(live: Product) -> Client:
    """Somebody."""
    return Client(live, f"watcher-{random.randrange(10**9)}")


@pytest.fixture(scope="module")
def stranger(live: Product) -> Client:
    """Somebody of another tenant."""
    return Client(live, f"stranger-{random.randrange(10**9)}")


def frames(monitor: ClientConnection) -> Iterator[dict[str, Any]]:
    """Every frame until the server closes, each as the document says."""
    try:
        while True:
            message = json.loads(monitor.recv(timeout=PATIENCE_S))
            jsonschema.validate(message, {"$ref": f"#/components/schemas/{message['type']}", "components": SCHEMAS})
            yield message
    except ConnectionClosed as closure:
        assert closure.rcvd is not None and closure.rcvd.code == 1000, closure


def refusal(monitor: ClientConnection) -> int:
    """The code that the server closes with."""
    with monitor, pytest.raises(ConnectionClosed) as closure:
        monitor.recv(timeout=PATIENCE_S)
    assert closure.value.rcvd is not None
    return closure.value.rcvd.code


def test_a_monitor_tells_everything_in_order_to_the_end(client: Client) -> None:
    execution = client.execution(client.agent("w1", "<<say: alpha>> <<delay: 300>>"), client.agent("w2", "<<say: b>>"))
    with client.dial(execution, after=0) as monitor:
        first, *messages = frames(monitor)
    assert (first["type"], first["after"]) == ("status_update", 0)
    assert [one["seq"] for one in messages] == list(range(1, len(messages) + 1))
    agent = ["agent_status_update", "agent_status_update", "result_update", "progress_update"]
    assert [one["type"] for one in messages] == ["status_update", *agent, *agent, "status_update"]
    assert [one["data"]["progress"] for one in messages if one["type"] == "progress_update"] == [50.0, 100.0]
    assert messages[-1]["data"]["status"] == "completed"
    assert next(one for one in messages if one["type"] == "result_update")["data"]["result"]["summary"] == "alpha"
    with client.dial(execution, after=10**6) as monitor:  # it has no such frame
        first, *again = frames(monitor)
    assert first["after"] == 0 and [one["seq"] for one in again] == [one["seq"] for one in messages]


CLIENTS, CUTS = 10, 100


def cut_off(client: Client, execution: str, seed: int) -> tuple[list[int], int]:
    """(the seqs that a client has seen, how often it was cut off): without a word, after a frame or a few."""
    dice, seqs, cuts = random.Random(seed), list[int](), 0
    while True:
        monitor = client.dial(execution, after=seqs[-1] if seqs else 0)
        monitor.recv(timeout=PATIENCE_S)  # how it stands
        remaining = dice.randint(1, 3)
        for one in frames(monitor):
            seqs += [one["seq"]] if "seq" in one else []
            remaining -= 1
            if not remaining:
                with suppress(OSError):  # the server has closed it already
                    monitor.socket.shutdown(socket.SHUT_RDWR)
                cuts += 1
                break
        else:
            return seqs, cuts


def test_a_hundred_cuts_and_every_client_has_seen_every_frame_once(client: Client) -> None:
    ids = [client.agent(f"c{number}", "<<delay: 60>>") for number in range(8)]
    execution = client.execution(*ids)
    with ThreadPoolExecutor(CLIENTS) as pool:
        results = list(pool.map(lambda seed: cut_off(client, execution, seed), range(CLIENTS)))
    with client.dial(execution, after=0) as monitor:
        whole = [one["seq"] for one in frames(monitor) if "seq" in one]
    assert whole == list(range(1, len(whole) + 1)) and len(whole) > 30
    assert all(seqs == whole for seqs, _ in results)
    assert sum(cuts for _, cuts in results) >= CUTS


def test_a_failure_is_told_with_its_code_and_no_trace(client: Client) -> None:
    execution = client.execution(client.agent("f1", "<<status: 400>>"))
    with client.dial(execution, after=0) as monitor:
        messages = list(frames(monitor))
    (error,) = [one["data"] for one in messages if one["type"] == "error_update"]
    assert error["agent_id"] == "f1" and error["error_details"]["code"] and "Traceback" not in str(messages)
    assert messages[-1]["data"]["status"] == "failed"


def test_a_monitor_of_a_run_sends_the_bodies_of_its_stream(client: Client) -> None:
    node = {"id": "one", "type": "static", "config": {"output": {"n": 1}}}
    flow = client.post("/workflows", {"name": "W", "definition": {"nodes": [node], "edges": []}})
    run = client.post(f"/workflows/{flow['id']}/runs", {"input": {}, "mode": "auto"})["id"]
    with client.dial(run, "runs") as monitor:
        first, *updates, last = frames(monitor)
    assert first == {"type": "connected", "runId": run, "seq": 0}
    events = [event for one in updates for event in one["events"]]
    kinds = [event["kind"] for event in events]
    assert kinds[0] == "run_started" and "step_completed" in kinds and kinds[-1] == "run_completed"
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert updates[-1]["run"]["result"] == {"n": 1}
    assert last == {"type": "complete", "status": "completed", "seq": len(events)}
    with client.dial(run, "runs", after=2) as monitor:
        remaining_events = [event for one in frames(monitor) for event in one.get("events", ())]
    assert remaining_events == events[2:]
    with client.dial(run, "runs", after=len(events), window=3) as monitor:
        assert [one["type"] for one in frames(monitor)] == ["connected", "complete"]


def test_who_may_not_watch_is_told_so_and_learns_nothing(client: Client, stranger: Client) -> None:
    execution = client.execution(client.agent("x1", ""))
    assert refusal(stranger.dial(execution)) == 1008
    assert refusal(stranger.dial(execution, "runs")) == 1008
    assert refusal(client.dial("no-uuid")) == 1008
    assert refusal(client.dial(execution, "planets")) == 1008
    assert refusal(client.dial(execution, after="x")) == 1008
    assert refusal(client.dial(execution, token="nonsense")) == 1008


def test_another_sites_page_may_not_use_the_cookie(client: Client, live: Product) -> None:
    execution = client.execution(client.agent("k1", ""))
    url = f"{live.url.replace('http', 'ws', 1)}/ws/executions/{execution}/monitor"
    cookie = {"Cookie": f"access_token={client.token}"}
    elsewhere = connect(url, additional_headers=cookie, origin="https://evil.example", proxy=None)  # type: ignore[arg-type]
    assert refusal(elsewhere) == 1008
    with connect(url, additional_headers=cookie, origin=live.url, proxy=None) as monitor:  # type: ignore[arg-type]
        assert json.loads(monitor.recv(timeout=PATIENCE_S))["type"] == "status_update"


def test_a_ping_is_answered_and_nonsense_is_ignored(client: Client) -> None:
    execution = client.execution(client.agent("g1", "<<delay: 1500>>"))
    with client.dial(execution) as monitor:
        monitor.recv(timeout=PATIENCE_S)
        monitor.send("{nonsense")
        monitor.send(json.dumps({"type": "ping"}))
        assert "pong" in [one["type"] for one in frames(monitor)]


def test_a_client_that_takes_nothing_in_is_let_go_and_comes_back_for_the_rest(client: Client, live: Product) -> None:
    """More frames than all buffers on the way hold, and nobody who reads them."""
    item = {"type": "static", "config": {"output": {"text": "x" * 1_800}}}
    node = {"id": "many", "type": "map", "config": {"items": "$input.n", "node": item}}
    flow = client.post("/workflows", {"name": "W", "definition": {"nodes": [node], "edges": []}})
    run = client.post(f"/workflows/{flow['id']}/runs", {"input": {"n": list(range(3_000))}, "mode": "auto"})["id"]
    for _ in range(4):
        result = client.http.get(f"/api/v1/runs/{run}", headers={"Prefer": "wait=30"}).json()
    assert result["status"] == "completed", result
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.connect(("127.0.0.1", int(live.port)))
    seqs: list[int] = []
    with client.dial(run, "runs", after=0, sock=narrow) as monitor:
        live.says("takes nothing in")
        with pytest.raises(ConnectionClosed) as closure:
            while True:
                seqs += [event["seq"] for event in json.loads(monitor.recv(timeout=PATIENCE_S)).get("events", ())]
    assert closure.value.rcvd is not None and closure.value.rcvd.code == 1013
    with client.dial(run, "runs", after=seqs[-1]) as monitor:
        seqs += [event["seq"] for message in frames(monitor) for event in message.get("events", ())]
    assert len(seqs) > 6_000 and seqs == list(range(1, len(seqs) + 1))
