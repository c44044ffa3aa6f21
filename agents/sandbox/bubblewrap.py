"""The command line of bubblewrap: what of this machine a sandboxed command sees, and under which user it runs."""

import os
import secrets
import shutil
import sys
from pathlib import Path

from agents.sandbox.limits import WORKSPACE, Limits, WorkingFolder

SYSTEM_PATHS = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/alternatives", "/etc/ld.so.cache")
NOBODY = 65534
FIRST_USER, USERS = 2_000_000_000, 100_000_000  # numbers that no account of this machine has
OWN_USERS = ("--uid", str(NOBODY), "--gid", str(NOBODY))

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


def executable() -> str:
    """The path of bubblewrap; "" where it is not installed."""
    return shutil.which("bwrap") or ""


def python() -> str:
    """The interpreter that commands in the sandbox use: the one below our virtual environment."""
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")


def command_line(
    argv: list[str], limits: Limits, filter: int, folder: WorkingFolder | None = None, *, nested: bool
) -> list[str]:
    """bubblewrap's command line for this command. `filter` is the descriptor of the filter of system calls, -1 without
    one; `nested`: under root the command gets a user namespace of its own.
    """
    isolation, user = _isolation(folder.user if folder else unused_user())
    seccomp = ["--seccomp", str(filter)] if filter >= 0 else []
    inner = bool(user) and nested
    limiter = LIMITER % (vars(limits) | {"user": user, "processes": limits.processes + inner})
    if inner:
        argv, seccomp = _nested_command(argv, seccomp), []
    return [
        *(executable() or "bwrap", "--die-with-parent", "--new-session", "--clearenv"),
        *(*isolation, "--hostname", "sandbox"),
        *(*_system_binds(), "--proc", "/proc", "--dev", "/dev"),
        *("--perms", "1777", "--size", str(limits.file_size), "--tmpfs", "/tmp"),
        *_folder_binds(folder),
        *seccomp,
        *("--remount-ro", "/dev", "--remount-ro", "/"),  # all else that could be written is the machine's memory
        *("--chdir", WORKSPACE if folder else "/tmp", "--setenv", "PATH", "/usr/bin:/bin"),
        *("--setenv", "HOME", "/tmp", "--setenv", "LANG", "C.UTF-8"),
        *("--", python(), "-I", "-S", "-c", limiter, *argv),
    ]


def unused_user() -> int:
    """A user number that no account has, another one each time."""
    return FIRST_USER + secrets.randbelow(USERS)


def _isolation(user: int) -> tuple[list[str], int]:
    """(options, the user to become once limits are set). Without root a user namespace stands between us and the
    command. RLIMIT_NPROC does not bind root, not in its namespaces either, so root becomes an unused user, another one
    for each working folder or else each time, as processes are counted by user; that user then makes the namespace.
    """
    if os.geteuid() != 0:
        return ["--unshare-all", "--cap-drop", "ALL", *OWN_USERS], 0
    namespaces = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    capabilities = ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    return namespaces + capabilities, user


def _nested_command(argv: list[str], seccomp: list[str]) -> list[str]:
    """The command in a user namespace of the unused user's own, within the sandbox that root has made."""
    bwrap = [executable() or "bwrap", "--die-with-parent", "--unshare-user", "--cap-drop", "ALL", *OWN_USERS]
    return [*bwrap, *seccomp, "--dev-bind", "/", "/", "--", *argv]


def _system_binds() -> list[str]:
    """The system's folders and the interpreter's, which the command may read."""
    binds = ["--perms", "0755", "--dir", "/etc"]
    binds += [part for path in SYSTEM_PATHS if Path(path).exists() for part in ("--ro-bind", path, path)]
    if not sys.base_prefix.startswith("/usr"):
        for parent in reversed(Path(sys.base_prefix).parents[:-1]):
            binds += ["--perms", "0755", "--dir", str(parent)]
        binds += ["--ro-bind", sys.base_prefix, sys.base_prefix]
    return binds


def _folder_binds(folder: WorkingFolder | None) -> list[str]:
    if folder is None:
        return []
    read_only = [part for path, target in folder.read_only for part in ("--ro-bind", str(path), target)]
    return ["--bind", str(folder.path), WORKSPACE, *read_only]
