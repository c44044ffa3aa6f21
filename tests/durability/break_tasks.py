"""R13: an exception in each long-lived task of engines and web, while other tenants work."""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import redis

from config import embedded_servers
from tests.durability.report import Report, percentile, spread
from tests.durability.restart_workers import start_program
from tests.durability.stand import AGENT, Background, Member, Stand, until

SABOTAGE = "durability.sabotage"
OF_ENGINES = ("journal", "wake_listener", "change_publisher", "engine", "process_report")
# What no process of ours would ever publish: it is read by the listeners of each web process.
OF_WEB = {"run_change_listener": "regente:runs", "text_listener": "regente:text:"}
SLOWER_S = 1.0  # than before, at the 95th percentile
SEEN_S, READY_S = 10.0, 40.0
QUIET_RUNS = 20


class Neighbour:
    """Another tenant that starts run after run and follows each to its end."""

    def __init__(self, member: Member, workflow: str) -> None:
        self.member, self.workflow = member, workflow
        self.seconds: list[float] = []
        self.faults: list[str] = []
        self.over = False

    def work(self) -> None:
        """Until it is over."""
        while not self.over:
            self.one()

    def one(self) -> None:
        """One run."""
        began = time.monotonic()
        run = self.member.start(self.workflow, {})
        text = self.member.get(f"/runs/{run}/stream").text
        self.seconds.append(time.monotonic() - began)
        if '"completed"' not in text:
            self.faults.append(text[-300:])


def break_tasks(stand: Stand, rounds: int) -> Report:
    """Each is logged, started again, counted and shown, and the neighbour is served as before."""
    report = Report("R13", "an exception in each long-lived task: logged, restarted, counted, shown; nobody is slower")
    stand.both_engines()
    turn = stand.founder.post(f"/agents/{AGENT}/conversation", {"message": "Say it."})  # whose text is listened to
    assert turn.status_code == 200, turn.text
    neighbour = _neighbour(stand)
    for _ in range(QUIET_RUNS):
        neighbour.one()
    quiet, neighbour.seconds = neighbour.seconds, []
    working = Background(neighbour.work)
    for _ in range(rounds):
        for name in OF_ENGINES:
            _break(stand, report, name, lambda name=name: start_program(stand, SABOTAGE, {"task": name}))
        for name, channel in OF_WEB.items():
            _break(stand, report, name, lambda channel=channel: _publish(stand, channel))
    neighbour.over = True
    working.end()
    report.none("neighbour's runs that failed", neighbour.faults)
    before, during = percentile(quiet, 0.95), percentile(neighbour.seconds, 0.95)
    report.figures |= {"neighbour's runs": len(neighbour.seconds), "before: p50 / p95 / max s": spread(quiet)}
    report.figures["meanwhile: p50 / p95 / max s"] = spread(neighbour.seconds)
    report.check(during <= before + SLOWER_S, f"the neighbour's p95 rose from {before:.2f} s to {during:.2f} s")
    until(lambda: _ready(stand)["status"] == "ready", READY_S, "ready again")
    return report


def _neighbour(stand: Stand) -> Neighbour:
    member = stand.member(f"neighbour-{time.monotonic_ns()}")
    return Neighbour(member, stand.workflow({"id": "a", "type": "static", "config": {"output": 1}}, by=member))


def _break(stand: Stand, report: Report, name: str, harm: Callable[[], Any]) -> None:
    """Harm the task, and see that it is counted, shown and logged."""
    counted, logged = _restarts(stand, name), _tracebacks(stand, name)
    harm()
    until(lambda: name in _ready(stand)["problems"].get("tasks", ""), SEEN_S, f"/readyz names {name}")
    report.check(_ready(stand)["status"] == "degraded", f"/readyz is not degraded by {name}")
    until(lambda: _restarts(stand, name) > counted, SEEN_S, f"a restart of {name} is counted")
    until(lambda: _tracebacks(stand, name) > logged, SEEN_S, f"the failure of {name} is logged")
    report.figures[f"restarts of {name}"] = int(_restarts(stand, name))


def _ready(stand: Stand) -> dict[str, Any]:
    body: dict[str, Any] = httpx.get(f"{stand.product.url}/readyz", timeout=10).json()
    return body


def _server(stand: Stand) -> redis.Redis:
    return redis.Redis.from_url(embedded_servers.redis_url(stand.product.data_dir))


def _publish(stand: Stand, channel: str) -> None:
    """To the listeners of the web's processes; those that follow nothing yet hear nothing yet."""
    with _server(stand) as server:
        until(lambda: server.pubsub_numsub(channel)[0][1], SEEN_S, f"somebody listens to {channel}")
        server.publish(channel, "no JSON")


def _restarts(stand: Stand, name: str) -> float:
    with _server(stand) as server:
        found = server.hgetall("regente:counted")
    wanted = ["regente_task_restarts_total", {"task": name}]
    return sum(float(value) for key, value in found.items() if json.loads(key) == wanted)


def _tracebacks(stand: Stand, name: str) -> int:
    """How often the log tells of the task's failure and goes on with a traceback."""
    told = f"the task {name} has failed"
    text = "".join((stand.product.data_dir / "log" / f"{part}.log").read_text() for part in ("web", "worker"))
    lines = text.splitlines()
    return sum(told in line and after.startswith("Traceback") for line, after in zip(lines, lines[1:], strict=False))
