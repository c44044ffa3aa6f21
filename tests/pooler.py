"""PgBouncer before the tests' PostgreSQL, for tests of what pooled connections may do."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from config import embedded_servers
from config.launch.orphans import tie_to_parent
from config.launch.servers import account
from tests.product import free_port

BINARY = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
needs_pgbouncer = pytest.mark.skipif(BINARY is None, reason="pgbouncer is not installed")
SESSIONS = 3  # of PostgreSQL's, that all clients share
CONFIGURATION = """[databases]
* = host={host} port={port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {sessions}
max_client_conn = 200
ignore_startup_parameters = options,extra_float_digits
"""


class Pooler:
    """A running PgBouncer; it drops start-up options, as many an installation does."""

    def __init__(self, port: int) -> None:
        self.host, self.port = "127.0.0.1", port

    def url(self, database: str) -> str:
        """The address of a database behind it."""
        return f"postgresql://postgres@{self.host}:{self.port}/{database}?sslmode=disable&gssencmode=disable"


def direct_url(data_dir: Path, database: str) -> str:
    """The address of the same database without it."""
    socket = quote(str(embedded_servers.postgres_socket_dir(data_dir)), safe="")
    return f"postgresql://postgres@/{database}?host={socket}&port={embedded_servers.PORT}"


@contextmanager
def pooler(data_dir: Path, mode: str, sessions: int = SESSIONS) -> Iterator[Pooler]:
    """A PgBouncer in this pool_mode before the embedded PostgreSQL of the folder, which lets it in."""
    assert BINARY is not None
    runs_as = account.for_postgres(data_dir / "postgres")
    if runs_as is not None:
        _admit(data_dir, runs_as.name)
    port = free_port()
    file = data_dir / "run" / f"pgbouncer-{port}.ini"
    values = {
        "host": embedded_servers.postgres_socket_dir(data_dir),
        "port": embedded_servers.PORT,
        "listen_port": port,
    }
    file.write_text(CONFIGURATION.format(mode=mode, sessions=sessions, **values))
    file.chmod(0o644)
    command = tie_to_parent([BINARY, str(file)], user=runs_as.ids if runs_as else None)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        output = next((line for line in process.stderr if "process up" in line), None)
        assert output, "pgbouncer did not start"
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield Pooler(port)
    finally:
        process.kill()
        process.wait()


def _admit(data_dir: Path, name: str) -> None:
    """The embedded PostgreSQL lets this account in, too, as whomever it says it is."""
    file, line = data_dir / "run" / "pg_ident.conf", f'ours "{name}" all\n'
    if line in file.read_text():
        return
    with file.open("a") as names:
        names.write(line)
    with psycopg.connect(embedded_servers.database_url(data_dir), autocommit=True) as connection:
        connection.execute("SELECT pg_reload_conf()")


def own_folder() -> Path:
    """The data folder of the tests' own servers."""
    return Path(os.environ["DATA_DIR"])
