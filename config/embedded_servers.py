"""Where the embedded PostgreSQL and Redis live: one place that both the launcher and the settings ask.

With DATABASE_URL and REDIS_URL unset, every command that is given the same DATA_DIR reaches the same servers.
"""

import hashlib
from pathlib import Path
from urllib.parse import quote

from config.env import env_text

BASE_DIR = Path(__file__).resolve().parent.parent
# A Unix socket's path ends at 107 bytes on Linux and 103 on macOS; the longest name below is /pg/.s.PGSQL.5432.
SOCKET_PATH_MAX = 86
DATABASE_NAME = "regente"
PORT = 5432


def data_dir() -> Path:
    """The folder that holds all that this installation keeps: DATA_DIR, or .data beside the code."""
    return Path(env_text("DATA_DIR", str(BASE_DIR / ".data"))).expanduser().absolute()


def socket_dir(data_dir: Path) -> Path:
    """The folder of the servers' sockets: DATA_DIR/run, or one in /tmp when that path is too long for a socket."""
    inside = data_dir / "run"
    if len(str(inside).encode()) <= SOCKET_PATH_MAX:
        return inside
    return Path("/tmp") / f"regente-{hashlib.sha256(str(data_dir).encode()).hexdigest()[:16]}"


def postgres_socket_dir(data_dir: Path) -> Path:
    """A folder of PostgreSQL's own: when the launcher is root, PostgreSQL's account may write here and nowhere else."""
    return socket_dir(data_dir) / "pg"


def database_url(data_dir: Path) -> str:
    """The embedded PostgreSQL's URL: a Unix socket, no open port. The port is part of the socket's name."""
    return (
        f"postgresql://postgres@/{DATABASE_NAME}?host={quote(str(postgres_socket_dir(data_dir)), safe='')}&port={PORT}"
    )


def redis_url(data_dir: Path) -> str:
    """The embedded Redis' URL: a Unix socket, no open port."""
    return f"unix://{socket_dir(data_dir)}/redis.sock"
