"""Starts and stops the product's programs as `make run` does, and the floors' in the same way."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from config import embedded_servers
from config.launch import command_lines, orphans
from tests.bench.database import Database
from tests.product import GENEROUS, free_port

START_S, STOP_S = 60.0, 30.0
LOOK_S = 0.02
FLOOR_QUEUE = "bench-warm"
FLOOR_THREADS = 16
WORKER, WEB = "bench-worker", "bench-web"  # how PostgreSQL names the sessions of their ORM


class DidNotStart(SystemExit):
    """A program ended or stayed silent; its log is printed."""


class Program:
    """A running program and its children."""

    def __init__(self, name: str, command: list[str], log: Path, **environment: str) -> None:
        self.name, self.log = name, log
        own = {"PGAPPNAME": name, "OUTBOUND_ALLOW": "127.0.0.1", orphans.PARENT: str(os.getpid())}
        with log.open("ab") as output:
            self.process = psutil.Popen(
                orphans.tie_to_parent(command),
                cwd=embedded_servers.BASE_DIR,
                env=os.environ | GENEROUS | own | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Come back when the condition holds."""
        end = time.monotonic() + START_S
        while not condition():
            if self.process.poll() is not None or time.monotonic() > end:
                last = "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])
                raise DidNotStart(f"{last}\n{self.name} did not start (its last lines are above).")
            time.sleep(LOOK_S)

    def tree(self) -> list[psutil.Process]:
        """The process and its children."""
        return [self.process, *self.process.children(recursive=True)]

    def memory_mb(self) -> float:
        """The proportional set size of all its processes: shared pages are counted once."""
        return sum(_pss_kb(process) for process in self.tree()) / 1024

    def stop(self) -> None:
        """End it as a supervisor would."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_S)
        except psutil.TimeoutExpired:
            for process in self.tree():
                process.kill()
            self.process.wait(STOP_S)


def _pss_kb(process: psutil.Process) -> float:
    """Where the kernel does not tell the proportional size (it is Linux's), the resident one, which is more."""
    rollup = Path(f"/proc/{process.pid}/smaps_rollup")
    try:
        if not rollup.exists():
            return process.memory_info().rss / 1024
        return next(int(line.split()[1]) for line in rollup.read_text().splitlines() if line.startswith("Pss:"))
    except (OSError, psutil.Error):  # it has just ended
        return 0


class Stack:
    """The programs of one installation."""

    def __init__(self, database: Database, log: Path) -> None:
        self.database, self.log = database, log
        self.port = free_port()

    @contextmanager
    def running(self, name: str, command: list[str], **environment: str) -> Iterator[Program]:
        """A program that is stopped on leaving; its log is DATA_DIR/log/{name}.log."""
        program = Program(name, command, self.log / f"{name}.log", **environment)
        try:
            yield program
        finally:
            program.stop()

    @contextmanager
    def worker(self, **environment: str) -> Iterator[Program]:
        """The worker with its two engines, all of them at work, and the bench's programs in it."""
        imports = {"WORKER_IMPORTS": "tests.bench.programs", "WORKER_PROCESSES": "2"}
        with self.running(WORKER, command_lines.worker(), **imports | environment) as program:
            program.wait_until(lambda: len(self.database.engine_pids) == 2)
            yield program

    @contextmanager
    def model_server(self, latency_s: float = 0.0) -> Iterator[dict[str, str]]:
        """The scripted model, and the environment that makes it the gateway."""
        port = free_port()
        server = ["-m", "tests.model_server", "--port", str(port), "--latency-ms", str(latency_s * 1000)]
        gateway = {"LLM_BASE_URL": f"http://127.0.0.1:{port}/v1", "LLM_API_KEY": "sk-bench"}
        with self.running("model-server", [sys.executable, *server]):
            yield gateway | {"LLM_MODEL": "openai/gpt-4o-mini"}

    @contextmanager
    def web(self, application: str = "config.launch.web.application:application") -> Iterator[Program]:
        """The web server, or with another application a floor on the same server."""
        command = [*command_lines.web()[:-1], application]
        command[command.index("--port") + 1] = str(self.port)
        command[command.index("--host") + 1] = "127.0.0.1"
        with self.running(WEB, command) as program:
            program.wait_until(self._answers)
            yield program

    def _answers(self) -> bool:
        with socket.socket() as door:
            return door.connect_ex(("127.0.0.1", self.port)) == 0

    @contextmanager
    def floor_worker(self, number: int) -> Iterator[Program]:
        """A Celery worker with a threads pool; it takes one message per run."""
        command = [
            *(sys.executable, "-m", "celery", "--quiet", "-A", "tests.bench.floor_tasks", "worker"),
            *(
                "--pool",
                "threads",
                "--concurrency",
                str(FLOOR_THREADS),
                "-Q",
                FLOOR_QUEUE,
                "-n",
                f"floor{number}@bench",
            ),
            *("--without-gossip", "--without-mingle", "-l", "WARNING"),
        ]
        with self.running(f"floor-worker-{number}", command) as program:
            yield program
