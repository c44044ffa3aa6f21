"""Each part of the product as docker-compose.yml starts it, on a data folder of its own, with PostgreSQL and Redis that
are somebody else's: reached by TCP, with passwords, as a role that is no superuser.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import yaml

from config import embedded_servers
from config.launch import orphans
from config.launch.servers import postgres, redis_server, startup
from tests.product import free_port, fresh_folder

COMPOSE = embedded_servers.BASE_DIR / "docker-compose.yml"
INIT = embedded_servers.BASE_DIR / "compose" / "postgres-init.sh"
LONG_LIVED = ("web", "worker", "scheduler")
VALUES = {
    "SECRET_KEY": "a-key-of-the-parts-test-and-of-nothing-else",
    "POSTGRES_PASSWORD": "of-the-superuser",
    "DATABASE_PASSWORD": "of-the-application",
    "REDIS_PASSWORD": "of-redis",
    "DJANGO_SUPERUSER_EMAIL": "operator@example.com",
    "DJANGO_SUPERUSER_PASSWORD": "correct-Horse-7-of-the-operator",
    "WEB_WORKERS": "1",
    "WORKER_PROCESSES": "1",
}
VARIABLE = re.compile(r"\$\{(\w+)(?:(:-|:\?)([^${}]*))?\}")


def interpolated(text: str, values: dict[str, str]) -> str:
    """The text as compose reads it: ${NAME:-default}, also within a default, and ${NAME:?sentence}."""

    def value(match: re.Match[str]) -> str:
        name, operator, rest = match.groups()
        if given := values.get(name, ""):
            return given
        assert operator != ":?", f"{name}: {rest}"
        return rest or ""

    while VARIABLE.search(text):
        text = VARIABLE.sub(value, text)
    return text.replace("$$", "$")


def compose() -> dict[str, Any]:
    """The file, its merges done and its variables still there."""
    content: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return content


@dataclass
class Server:
    """A server of somebody else's: where it listens, and its process."""

    port: int
    process: subprocess.Popen[bytes]


@contextmanager
def external_postgres(folder: Path) -> Iterator[Server]:
    """PostgreSQL behind TCP and passwords, made ready by the script that compose gives to its image."""
    startup.make_folders(folder)
    os.environ[orphans.PARENT] = str(os.getpid())
    server, port = postgres.prepare(folder), free_port()
    with (folder / "run" / "pg_hba.conf").open("a") as hba:
        hba.write("host all all 127.0.0.1/32 scram-sha-256\n")
    server = startup.Server(
        server.name, [*server.command, "-h", "127.0.0.1", "-p", str(port)], server.stop_signal, server.is_ready
    )
    with startup.process_of(server, folder) as process:
        startup.wait_ready(server, lambda: process.poll() is None)
        sockets = embedded_servers.postgres_socket_dir(folder)
        where = {"PGHOST": str(sockets), "PGPORT": str(port), "PGUSER": "postgres", "PATH": os.environ["PATH"]}
        where["PATH"] = f"{postgres.binaries()}:{where['PATH']}"
        own = where | {"DATABASE_PASSWORD": VALUES["DATABASE_PASSWORD"]}
        drop = [
            "psql",
            "--command",
            f"DROP DATABASE {embedded_servers.DATABASE_NAME}",
            "postgres",
        ]  # its image has none yet
        for command in (drop, ["sh", str(INIT)]):
            done = subprocess.run(command, env=own, check=False, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        yield Server(port, process)


@contextmanager
def external_redis(folder: Path) -> Iterator[Server]:
    """Redis behind TCP and a password."""
    port = free_port()
    options = {"port": port, "bind": "127.0.0.1", "requirepass": VALUES["REDIS_PASSWORD"], "dir": folder, "save": ""}
    command = [redis_server.program(), *(part for name, value in options.items() for part in (f"--{name}", str(value)))]
    command = orphans.tie_to_parent(command, signal.SIGTERM)
    (folder / "log").mkdir(exist_ok=True)
    with startup.process_of(startup.Server("redis", command, signal.SIGTERM, lambda: True), folder) as process:
        yield Server(port, process)


class Parts:
    """The parts, each a process."""

    def __init__(self, folder: Path, database: Server, redis: Server) -> None:
        self.folder, self.database, self.redis = folder, database, redis
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.services: dict[str, Any] = compose()["services"]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def environment(self, name: str) -> dict[str, str]:
        """What compose gives to this part, with the addresses of this machine."""
        told = self.services[name]["environment"]
        values = {key: interpolated(str(text), VALUES) for key, text in told.items()}
        for before, now in (("@postgres:5432/", self.database.port), ("@redis:6379/", self.redis.port)):
            values = {key: text.replace(before, f"@127.0.0.1:{now}/") for key, text in values.items()}
        if "HOST" in values:
            values |= {"HOST": "127.0.0.1", "PORT": str(self.port)}
        ours = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(self.folder)}
        return ours | values | {"DATA_DIR": str(self.folder / name)}  # which is not there yet

    def command(self, *arguments: str) -> list[str]:
        """The command line, ended with us."""
        assert arguments[0] == "python"
        return orphans.tie_to_parent([sys.executable, *arguments[1:]], signal.SIGTERM)

    def run(self, name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """What a command in the part's container says, by default its own one, run to its end."""
        command = arguments or self.services[name]["command"]
        return subprocess.run(
            self.command(*command),
            cwd=embedded_servers.BASE_DIR,
            env=self.environment(name) | {orphans.PARENT: str(os.getpid())} | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def health(self, name: str) -> subprocess.CompletedProcess[str]:
        """What the part's own health check says."""
        test = self.services[name]["healthcheck"]["test"]
        assert test[0] == "CMD"
        return self.run(name, *test[1:])

    def start(self, name: str) -> None:
        """The part, started and left running."""
        log = (self.folder / f"{name}.log").open("ab")
        with log:
            self.processes[name] = subprocess.Popen(
                self.command(*self.services[name]["command"]),
                cwd=embedded_servers.BASE_DIR,
                env=self.environment(name) | {orphans.PARENT: str(os.getpid())},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """The part, ended without a word, with all that it started."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def log(self, name: str) -> str:
        """What the part has written."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def readyz(self) -> dict[str, Any]:
        """What /readyz says, with its status as `code`; {} while nobody answers."""
        try:
            answer = httpx.get(f"{self.url}/readyz", timeout=10)
        except httpx.HTTPError:
            return {}
        body: dict[str, Any] = answer.json()
        return body | {"code": answer.status_code}

    def dead(self) -> list[str]:
        """The parts that ended by themselves."""
        return [name for name, process in self.processes.items() if process.poll() is not None]


@contextmanager
def parts() -> Iterator[Parts]:
    """Parts of which none was started yet, the stores up."""
    with ExitStack() as up:
        database, redis, own = (up.enter_context(fresh_folder()) for _ in range(3))
        stores = up.enter_context(external_postgres(database)), up.enter_context(external_redis(redis))
        one = Parts(own, *stores)
        up.callback(partial(_end, one))
        yield one


def _end(one: Parts) -> None:
    for name in list(one.processes):
        one.kill(name)
