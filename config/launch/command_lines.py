"""The product's own programs and their command lines, the same under `make run` and in a container."""

import hashlib
import sys
from pathlib import Path

from config import embedded_servers
from config.env import env_float, env_int, env_text

WEB_STOP_S = 8.0
WEB_DRAIN_S = 5  # of it, for requests under way
MAX_SOCKET_MESSAGE_LENGTH = 64 * 1024  # bytes of one message of a WebSocket's client
CONFIG_ERROR = 78  # exit status (EX_CONFIG): the last line of standard error names the setting that is wrong
WORKER_GRACE_S = 8.0  # Celery's own part of a stop, after the engine has drained


def host() -> str:
    """The address that the web server listens on."""
    return env_text("HOST", "127.0.0.1")


def port() -> int:
    """The port that the web server listens on."""
    return env_int("PORT", 8000, least=1, most=65535)


def web() -> list[str]:
    """The web server. Requests and streams count against --limit-concurrency, and sooner WebSockets
    (protocols.MAX_SOCKETS), so that requests are answered when there are too many of those: beyond it, 503.

    A client's address is read from headers by config/http/origin.py alone. WebSockets are not compressed: their
    frames are small, and a compressor takes as much memory as all else of a connection.
    """
    protocols = "config.launch.web.protocols"
    return [
        *(sys.executable, "-m", "uvicorn", "--interface", "asgi3", "--lifespan", "off", "--loop", "uvloop"),
        *("--http", f"{protocols}:Http", "--ws", f"{protocols}:Socket", "--ws-per-message-deflate", "false"),
        *(
            "--ws-max-size",
            str(MAX_SOCKET_MESSAGE_LENGTH),
            "--no-proxy-headers",
            "--no-server-header",
            "--no-access-log",
        ),
        *("--host", host(), "--port", str(port()), "--workers", str(env_int("WEB_WORKERS", 2, least=1, most=64))),
        *("--backlog", "4096", "--limit-concurrency", "4096", "--timeout-keep-alive", "65"),
        *("--timeout-graceful-shutdown", str(WEB_DRAIN_S), "--timeout-worker-healthcheck", "30"),
        *("--log-level", "warning", "--log-config", str(Path(__file__).with_name("uvicorn_logging.json"))),
        "config.launch.web.application:application",
    ]


def worker() -> list[str]:
    """The Celery worker; each of its processes hosts an engine. Django's checks would import all that the web has."""
    return [
        *(sys.executable, "-m", "celery", "--quiet", "--skip-checks", "-A", "config", "worker", "--pool", "prefork"),
        *("--concurrency", str(env_int("WORKER_PROCESSES", 2, least=1, most=64)), "-Q", "celery"),
        *("--without-gossip", "--without-mingle", "-l", "WARNING"),
    ]


def scheduler() -> list[str]:
    """Celery beat, which sends the periodic tasks; a second one does no harm."""
    return [sys.executable, "-m", "celery", "--quiet", "--skip-checks", "-A", "config", "beat", "-l", "WARNING"]


def worker_stop_s() -> int:
    """The seconds that a worker may take to release its runs."""
    return round(env_float("ENGINE_DRAIN_S", 10.0) + WORKER_GRACE_S)


def _migrations_hash() -> str:
    """Changes when the migrations of the project or the installed packages do."""
    files = sorted(embedded_servers.BASE_DIR.glob("*/migrations/*.py")) + [
        embedded_servers.BASE_DIR / "requirements.txt"
    ]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(embedded_servers.BASE_DIR)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def is_migrated(data_dir: Path) -> bool:
    """True when all migrations that the code has now were applied to the embedded database of this folder."""
    stamp = data_dir / "run" / "migrated"
    return (data_dir / "postgres").exists() and stamp.exists() and stamp.read_text() == _migrations_hash()


def record_migrations(data_dir: Path) -> None:
    """Note that the embedded database of this folder has all migrations of this code."""
    (data_dir / "run" / "migrated").write_text(_migrations_hash())
