"""R14: every part starts where operators start it, on an empty folder, and /readyz names the one that is missing."""

import os
import random
import signal
import time

import httpx
import psutil

from tests.durability.report import Report
from tests.durability.stand import until
from tests.parts import LONG_LIVED, Parts, parts

PROMISE = "each part starts by itself on an empty folder, and /readyz names the one that is missing"
START_S, NOTICE_S, ANSWER_S = 90.0, 15.0, 5.0
SIGNS = {"scheduler": ("scheduler", "missing"), "worker": ("engines", 0)}  # part → what /readyz has without it


def start_parts(dice: random.Random, rounds: int) -> Report:
    """R14, as docker-compose.yml starts them."""
    report = Report("R14", PROMISE)
    with parts() as one:
        prepared = one.run("prepare")
        report.check(prepared.returncode == 0, f"prepare ended with {prepared.returncode}: {prepared.stderr}")
        for name in LONG_LIVED:
            one.start(name)
        report.figures["start_s"] = _ready(one)
        for _ in range(rounds):
            for name in dice.sample(LONG_LIVED, len(LONG_LIVED)):
                _miss(one, name, report)
        for server in ("redis", "database"):
            _freeze(one, server, report)
    return report


def _ready(one: Parts) -> float:
    began = time.monotonic()
    until(lambda: one.readyz().get("status") == "ready", START_S, "ready")
    return round(time.monotonic() - began, 1)


def _worst(report: Report, name: str, seconds: float) -> None:
    report.figures[name] = max(seconds, report.figures.get(name, 0.0))


def _miss(one: Parts, name: str, report: Report) -> None:
    """One part is killed, seen to be missing, and started again."""
    began = time.monotonic()
    one.kill(name)
    if name == "web":
        report.check(one.readyz() == {}, "a killed web server answers")
    else:
        key, value = SIGNS[name]
        until(lambda: one.readyz().get(key) == value, START_S, f"{name} missing")
        took = round(time.monotonic() - began, 1)
        _worst(report, f"{name}_missing_s", took)
        report.check(took <= NOTICE_S, f"a missing {name} was named after {took} s")
    one.start(name)
    _worst(report, f"{name}_back_s", _ready(one))


def _freeze(one: Parts, name: str, report: Report) -> None:
    """A server that says nothing any more: /healthz and /readyz answer in time, and name it."""
    server = one.database if name == "database" else one.redis
    key = "broker" if name == "redis" else "database"
    members = _family(server.process.pid)
    for pid in members:
        os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: one.readyz().get(key) == "disconnected", START_S, f"{key} disconnected")
        for path in ("/healthz", "/readyz"):
            began = time.monotonic()
            answer = httpx.get(one.url + path, timeout=60)
            took = round(time.monotonic() - began, 1)
            _worst(report, f"frozen_{name}_{path[1:]}_s", took)
            report.check(took <= ANSWER_S, f"{path} took {took} s with a frozen {name}")
            if path == "/healthz" and name == "database":
                told = answer.json()["database"]
                report.check(told == "disconnected", f"/healthz says {told} of a frozen database")
    finally:
        for pid in members:
            os.kill(pid, signal.SIGCONT)
    _worst(report, f"thawed_{name}_s", _ready(one))


def _family(pid: int) -> list[int]:
    parent = psutil.Process(pid)
    return [pid, *(child.pid for child in parent.children(recursive=True))]
