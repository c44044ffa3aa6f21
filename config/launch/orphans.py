"""No orphans: a process that ends when the one that started it ends, even by `kill -9`.

Also a program: `python -I -S orphans.py [--user UID:GID] [--signal NAME] -- /COMMAND …` becomes COMMAND, so tied to its
parent and, when asked, run as another account. It imports nothing of the project: it starts in a few milliseconds.
"""

import contextlib
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PARENT = "REGENTE_PARENT_PID"


def die_with_parent(sig: int = signal.SIGKILL, parent: int | None = None) -> None:
    """The kernel sends `sig` to this process when its parent ends. Only Linux can; elsewhere nothing happens.

    Not inherited: a worker's children call it themselves, in their start hook. This process ends at once when `parent`,
    the pid of the one that started it, has ended before the kernel was asked.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(sig), 0, 0, 0)
    if parent is not None and os.getppid() != parent:
        os._exit(1)


def end_group(leader: int) -> None:
    """What an ended program left in its process group is ended too. The kernel reuses no id of a living group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    """True while there is such a process, whoever it belongs to."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def tie_to_parent(command: list[str], sig: int = signal.SIGKILL, user: tuple[int, int] | None = None) -> list[str]:
    """The command line that runs `command` tied to its parent, as the account `user` (uid, gid) when one is given."""
    account = ["--user", f"{user[0]}:{user[1]}"] if user else []
    wrapper = [sys.executable, "-I", "-S", os.path.abspath(__file__)]
    return [*wrapper, *account, "--signal", signal.Signals(sig).name, "--", *command]


def _become(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _main(arguments: list[str]) -> None:
    """Become the command after `--`."""
    split = arguments.index("--")
    options = dict(zip(arguments[0:split:2], arguments[1:split:2], strict=True))
    command = arguments[split + 1 :]
    if "--user" in options:
        uid, gid = options["--user"].split(":")
        _become(int(uid), int(gid))  # before prctl: a change of account clears what prctl set
    parent = os.environ.get(PARENT)
    die_with_parent(signal.Signals[options.get("--signal", "SIGKILL")], int(parent) if parent else None)
    os.environ[PARENT] = str(os.getpid())
    try:
        os.execv(command[0], command)  # not execvp: that imports, and the account may not reach the library
    except OSError as fault:
        sys.exit(f"{command[0]}: {fault.strerror}")


if __name__ == "__main__":
    _main(sys.argv[1:])
