"""One command under bubblewrap: no network, no environment, nothing of this machine but its system files, bounded.

A command may be given a room: the one folder that it can write in, which outlives it (agents/code_tasks/workspace.py).
Where no sandbox can be made nothing runs at all: `unavailable()` says why.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from agents.sandbox import system_calls
from agents.sandbox.watchdog import outgrown

SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/alternatives", "/etc/ld.so.cache")
ROOM = "/workspace"
CERTAIN_S = 2.0
NOBODY = 65534
MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What a command may use. `memory`, `cpu_s` and `file_size` are per process, `memory_in_all` and `disk` of all that
    it starts and of its room; who goes beyond those two is stopped.
    """

    wall_s: float = 10.0
    cpu_s: int = 10
    memory: int = 256 * MIB
    file_size: int = 64 * MIB
    processes: int = 32
    output: int = 1 * MIB
    memory_in_all: int = 512 * MIB
    disk: int = 1024 * MIB


@dataclass(frozen=True)
class Room:
    """A folder of ours that the command works in, and whose it is there; `more` are further ones that it may read."""

    path: Path
    user: int
    more: tuple[tuple[Path, str], ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How it ended; `returncode` is None when we stopped it, `stopped` then says for what: time, memory or disk."""

    returncode: int | None
    stdout: bytes
    stderr: bytes
    cut: bool  # there was more output than may be kept
    stopped: str = ""


# Within the sandbox, before the command: limits of this process and its children.
LIMITER = """
import os, resource as r, sys
limits = {"AS": %(memory)d, "CPU": %(cpu_s)d, "FSIZE": %(file_size)d, "NPROC": %(processes)d, "NOFILE": 256, "CORE": 0}
for name, most in limits.items():
    kind = getattr(r, "RLIMIT_" + name)
    hard = r.getrlimit(kind)[1]
    most = most if hard == r.RLIM_INFINITY else min(most, hard)
    r.setrlimit(kind, (most, most))
if %(user)d:
    os.setgroups([])
    os.setresgid(%(user)d, %(user)d, %(user)d)
    os.setresuid(%(user)d, %(user)d, %(user)d)
os.execv(sys.argv[1], sys.argv[1:])
"""


def python() -> str:
    """The interpreter that commands in the sandbox use: the one below our virtual environment."""
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")


def stranger() -> int:
    """A user that nobody is."""
    return 2_000_000_000 + secrets.randbelow(100_000_000)


OWN_USERS = ("--uid", str(NOBODY), "--gid", str(NOBODY))


def _isolation(user: int) -> tuple[list[str], int]:
    """(options, the user to become once limits are set). Without root a user namespace stands between us and the
    command. No number of processes is too many for root, in its namespaces too, so root becomes a user that nobody is,
    another one for each room or else each time, as processes are counted by user; that one then makes the namespace.
    """
    if os.geteuid() != 0:
        return ["--unshare-all", "--cap-drop", "ALL", *OWN_USERS], 0
    apart = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    become = ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    return apart + become, user


def _inner(argv: list[str], filter: list[str]) -> list[str]:
    """The command in a user namespace of the stranger's own, within the sandbox that root has made."""
    made = [
        shutil.which("bwrap") or "bwrap",
        "--die-with-parent",
        "--unshare-user",
        "--cap-drop",
        "ALL",
        *OWN_USERS,
        *filter,
    ]
    return [*made, "--dev-bind", "/", "/", "--", *argv]


def _command(
    argv: list[str], limits: Limits, filter: int, room: Room | None = None, nested: bool | None = None
) -> list[str]:
    binds = ["--perms", "0755", "--dir", "/etc"]
    binds += [part for folder in SYSTEM if Path(folder).exists() for part in ("--ro-bind", folder, folder)]
    if not sys.base_prefix.startswith("/usr"):
        for parent in reversed(Path(sys.base_prefix).parents[:-1]):
            binds += ["--perms", "0755", "--dir", str(parent)]
        binds += ["--ro-bind", sys.base_prefix, sys.base_prefix]
    isolation, user = _isolation(room.user if room else stranger())
    home = ROOM if room else "/tmp"
    own = ["--bind", str(room.path), ROOM] if room else []
    own += [part for path, seen_as in (room.more if room else ()) for part in ("--ro-bind", str(path), seen_as)]
    filtered = ["--seccomp", str(filter)] if filter >= 0 else []
    inside = bool(user) and (_nests() if nested is None else nested)
    limiter = LIMITER % (vars(limits) | {"user": user, "processes": limits.processes + inside})
    if inside:
        argv, filtered = _inner(argv, filtered), []
    return [
        *(shutil.which("bwrap") or "bwrap", "--die-with-parent", "--new-session", "--clearenv"),
        *(*isolation, "--hostname", "sandbox"),
        *(*binds, "--proc", "/proc", "--dev", "/dev"),
        *("--perms", "1777", "--size", str(limits.file_size), "--tmpfs", "/tmp"),
        *own,
        *filtered,
        *("--remount-ro", "/dev", "--remount-ro", "/"),  # all else that could be written is the machine's memory
        *("--chdir", home, "--setenv", "PATH", "/usr/bin:/bin", "--setenv", "HOME", "/tmp", "--setenv", "LANG"),
        *("C.UTF-8", "--", python(), "-I", "-S", "-c", limiter, *argv),
    ]


@contextlib.contextmanager
def _filter() -> Iterator[int]:
    """The descriptor that bubblewrap reads its filter of system calls from; -1 where there is none."""
    opened = system_calls.opened()
    try:
        yield opened
    finally:
        if opened >= 0:
            os.close(opened)


def _tried(nested: bool) -> str:
    """Why this form of sandbox cannot be made here; "" when it can."""
    try:
        with _filter() as filter:
            tried = subprocess.run(
                _command(["/bin/true"], Limits(), filter, nested=nested),
                capture_output=True,
                timeout=CERTAIN_S * 5,
                check=False,
                pass_fds=[filter] if filter >= 0 else [],
            )
    except (OSError, subprocess.TimeoutExpired) as fault:
        return f"bubblewrap does not start: {fault}"
    if tried.returncode != 0:
        return f"bubblewrap cannot make a sandbox here: {tried.stderr.decode(errors='replace').strip()[:200]}"
    return ""


@cache
def _nests() -> bool:
    """Whether a user that is not root may make a user namespace here: a kernel or container may forbid it."""
    return not _tried(nested=True)


def apart() -> bool:
    """Whether commands have a user namespace of their own: not where root's worker may not give a stranger one."""
    return os.geteuid() != 0 or _nests()


@cache
def unavailable() -> str:
    """Why no sandbox can be made here; "" when one can."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed; on Debian: apt-get install bubblewrap"
    return _tried(nested=_nests())


async def run(argv: list[str], stdin: bytes = b"", limits: Limits | None = None, room: Room | None = None) -> Outcome:
    """The command's outcome; it and all that it started are gone afterwards, also when the caller is cancelled."""
    limits = limits or Limits()
    with _filter() as filter:
        process = await asyncio.create_subprocess_exec(
            *_command(argv, limits, filter, room),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={},
            start_new_session=True,
            pass_fds=[filter] if filter >= 0 else [],
        )
    assert process.stdin and process.stdout and process.stderr
    reading = [asyncio.create_task(_read(stream, limits.output)) for stream in (process.stdout, process.stderr)]
    watch = asyncio.create_task(outgrown(process.pid, room.path if room else None, limits.memory_in_all, limits.disk))
    writing = asyncio.create_task(_write(process.stdin, stdin))
    ending = asyncio.create_task(process.wait())
    try:
        await asyncio.wait({ending, watch}, timeout=limits.wall_s, return_when=asyncio.FIRST_COMPLETED)
        stopped = "" if ending.done() else (watch.result() if watch.done() else "time")
    finally:
        for task in (watch, writing):
            task.cancel()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # bwrap's child dies with it, and the pid namespace with that
        await process.wait()
    (out, cut_out), (err, cut_err) = await asyncio.gather(*reading)
    return Outcome(None if stopped else process.returncode, out, err, cut_out or cut_err, stopped)


async def _write(stream: asyncio.StreamWriter, content: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.write(content)
        await stream.drain()
        stream.close()


async def _read(stream: asyncio.StreamReader, most: int) -> tuple[bytes, bool]:
    """(what came, at most so much; whether there was more, which is read all the same so that nobody blocks)."""
    kept, cut = bytearray(), False
    while part := await stream.read(65_536):
        room = most - len(kept)
        cut = cut or len(part) > room
        kept += part[: max(room, 0)]
    return bytes(kept), cut
