"""The product's own programs and their command lines, the same under `make run` and in a container."""

import hashlib
import sys
from pathlib import Path

from config import embedded
from config.env import env_float, env_int, env_text

WEB_STOP_S = 8.0
WORKER_GRACE_S = 8.0  # Celery's own part of a stop, after the engine has drained


def host() -> str:
    """The address that the web server listens on."""
    return env_text("HOST", "127.0.0.1")


def port() -> int:
    """The port that the web server listens on."""
    return env_int("PORT", 8000, least=1, most=65535)


def web() -> list[str]:
    """The web server. Streams count against --backpressure, so it is far above what short requests would need."""
    return [
        *(sys.executable, "-m", "granian", "--interface", "asginl", "--loop", "uvloop", "--ws"),
        *("--host", host(), "--port", str(port()), "--workers", str(env_int("WEB_WORKERS", 2, least=1, most=64))),
        *("--backlog", "4096", "--backpressure", "2048", "--no-access-log", "--log-level", "warning"),
        *("--respawn-failed-workers", "--respawn-interval", "0.5", "--workers-kill-timeout", "5"),
        "config.launch.tied_web:application",
    ]


def worker() -> list[str]:
    """The Celery worker; each of its processes hosts an engine."""
    return [
        *(sys.executable, "-m", "celery", "--quiet", "-A", "config", "worker", "--pool", "prefork"),
        *("--concurrency", str(env_int("WORKER_PROCESSES", 2, least=1, most=64)), "-Q", "celery"),
        *("--without-gossip", "--without-mingle", "-l", "WARNING"),
    ]


def scheduler() -> list[str]:
    """Celery beat: it rings the sweep; a second one does no harm."""
    return [sys.executable, "-m", "celery", "--quiet", "-A", "config", "beat", "-l", "WARNING"]


def worker_stop_s() -> int:
    """The seconds a worker may take to put its runs down."""
    return round(env_float("ENGINE_DRAIN_S", 10.0) + WORKER_GRACE_S)


def _migrations_hash() -> str:
    """Changes when the migrations of the project or the installed packages do."""
    files = sorted(embedded.BASE_DIR.glob("*/migrations/*.py")) + [embedded.BASE_DIR / "requirements.txt"]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(embedded.BASE_DIR)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def is_migrated(data_dir: Path) -> bool:
    """True when all migrations that the code has now were applied to the embedded database of this folder."""
    stamp = data_dir / "run" / "migrated"
    return (data_dir / "postgres").exists() and stamp.exists() and stamp.read_text() == _migrations_hash()


def remember_migrated(data_dir: Path) -> None:
    """All migrations that the code has now are applied to the embedded database of this folder."""
    (data_dir / "run" / "migrated").write_text(_migrations_hash())
