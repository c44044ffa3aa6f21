"""The embedded PostgreSQL and Redis: under supervisord for the launcher, or started directly for a command or tests."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from config import embedded_servers
from config.env import env_text
from config.launch import lock, orphans

READY_PATIENCE_S = 120.0  # a recovery after a crash replays up to max_wal_size of log
STOP_PATIENCE_S = 30.0


class DidNotStart(SystemExit):
    """A server ended, or did not answer in time, while its start was waited for."""


@dataclass(frozen=True)
class Server:
    """How a server is run: its command line (tied to its parent), the signal that ends it, how to see it is ready."""

    name: str
    command: list[str]
    stop_signal: signal.Signals
    is_ready: Callable[[], bool]


def prepare(data_dir: Path) -> list[Server]:
    """The servers that the environment names no other for, ready to start; their folders and first files are made."""
    from config.launch.servers import (
        postgres,
        redis_server,  # they use this file's Server
    )

    steps = [] if env_text("DATABASE_URL") else [postgres.prepare]
    steps += [] if env_text("REDIS_URL") else [redis_server.prepare]
    return [step(data_dir) for step in steps]


def make_folders(data_dir: Path) -> None:
    """DATA_DIR with its folders, and the folder of the sockets, which must be ours when it lies in /tmp."""
    sockets = embedded_servers.socket_dir(data_dir)
    try:
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        for folder in (data_dir, data_dir / "run", data_dir / "log", sockets):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise DidNotStart(
            f"{error.filename}: {error.strerror}; set DATA_DIR to a folder that you may write to."
        ) from None
    if sockets.stat().st_uid != os.geteuid():
        raise DidNotStart(f"{sockets} belongs to another account: remove it, or set DATA_DIR to a shorter path.")
    for folder in (data_dir / "run", data_dir / "log", sockets):
        folder.chmod(0o711)


def wait_ready(server: Server, is_alive: Callable[[], bool]) -> None:
    """Return when the server answers; DidNotStart when it ends first or takes too long."""
    end = time.monotonic() + READY_PATIENCE_S
    while not server.is_ready():
        if not is_alive():
            raise DidNotStart(f"{server.name} did not start; its output is in DATA_DIR/log/{server.name}.log.")
        if time.monotonic() > end:
            raise DidNotStart(
                f"{server.name} is not ready after {READY_PATIENCE_S:.0f} s; see DATA_DIR/log/{server.name}.log."
            )
        time.sleep(0.02)


@contextmanager
def running(data_dir: Path) -> Iterator[Path]:
    """The folder's embedded servers are up inside; none is started that the environment names another for."""
    make_folders(data_dir)
    os.environ[orphans.PARENT] = str(os.getpid())
    with ExitStack() as stack:
        stack.enter_context(lock.acquire(data_dir))
        servers = prepare(data_dir)
        processes = [stack.enter_context(process_of(server, data_dir)) for server in servers]
        for server, process in zip(servers, processes, strict=True):
            wait_ready(server, partial(_is_alive, process))
        yield data_dir


@contextmanager
def temporary() -> Iterator[Path]:
    """A fresh data folder with its servers up; both are gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="regente-", ignore_cleanup_errors=True) as folder,
        running(Path(folder)) as up,
    ):
        yield up


def _is_alive(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is None


@contextmanager
def process_of(server: Server, data_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The server's process, in a session of its own so that no Ctrl-C reaches it; ended on leaving."""
    with (data_dir / "log" / f"{server.name}.log").open("ab") as log:
        process = subprocess.Popen(
            server.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=embedded_servers.BASE_DIR,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.send_signal(server.stop_signal)
        try:
            process.wait(STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
