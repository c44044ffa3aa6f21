"""Commands in a task's workspace: within the sandbox, or not at all."""

import logging
from pathlib import Path

from django.conf import settings

from agents.code_tasks.workspace import Workspace
from agents.errors import WorkspaceError
from agents.sandbox import sandboxed_command
from agents.sandbox.sandboxed_command import MIB, Limits, Outcome
from orchestration.program.registry import PRELOAD

log = logging.getLogger(__name__)

# Without --norc bash would take the pipe that it reads from for a remote login's.
SHELL = ("/bin/bash", "--norc", "-c") if Path("/bin/bash").exists() else ("/bin/sh", "-c")
GIT_S = 30.0
# Who commits, and whose folders may be looked into: the workspace belongs to another user than git's own folder says.
GIT_SETTINGS = {
    "safe.directory": "*",
    "user.name": "Regente",
    "user.email": "task@regente.invalid",
    "init.defaultBranch": "main",
    "core.pager": "cat",
    "protocol.file.allow": "always",
}


def look() -> None:
    """Try the sandbox as a worker starts, and say when there is none."""
    if why := sandboxed_command.unavailable():
        log.warning("commands of code tasks will be refused: %s", why)


PRELOAD.append(look)


def limits(wall_s: float) -> Limits:
    """What a command of a task may use; the numbers of RELIABILITY S4."""
    return Limits(
        wall_s=wall_s,
        cpu_s=round(wall_s) + 1,
        memory=2048 * MIB,
        file_size=settings.TASK_DISK_BYTES // 4,
        processes=64,
        output=64 * 1024,
        memory_in_all=settings.TASK_MEMORY_BYTES,
        disk=settings.TASK_DISK_BYTES,
    )


async def run(
    space: Workspace, argv: list[str], wall_s: float, stdin: bytes = b"", *more: tuple[Path, str], output: int = 0
) -> Outcome:
    """The command's outcome; WorkspaceError where there is no sandbox: it is never run bare."""
    if why := sandboxed_command.unavailable():
        raise WorkspaceError(f"Commands cannot run on this machine: {why}.")
    space.check()
    allowed = limits(wall_s)
    if output:
        allowed = Limits(**(vars(allowed) | {"output": output}))
    try:
        return await sandboxed_command.run(argv, stdin, allowed, space.room(*more))
    except ValueError:
        raise WorkspaceError("A command must not hold NUL characters, or what is no character at all.") from None


async def shell(space: Workspace, command: str, wall_s: float, stdin: bytes = b"") -> Outcome:
    """A command line's outcome."""
    return await run(space, [*SHELL, command], wall_s, stdin)


async def git(
    space: Workspace,
    script: str,
    *arguments: str,
    stdin: bytes = b"",
    output: int = 0,
    more: tuple[Path, str] | None = None,
) -> str:
    """What a script of git commands prints; its arguments are $1, $2 …; WorkspaceError with git's own words."""
    named = [part for name, value in GIT_SETTINGS.items() for part in (name, value)]
    setup = 'n=$1; shift; while [ "$n" -gt 0 ]; do git config --global "$1" "$2"; shift 2; n=$((n-1)); done; '
    argv = [*SHELL, f"export HOME=/tmp; {setup}{script}", "git", str(len(GIT_SETTINGS)), *named, *arguments]
    ended = await run(space, argv, GIT_S, stdin, *([more] if more else []), output=output)
    if ended.returncode != 0:
        told = (ended.stderr or ended.stdout).decode(errors="replace").strip()
        raise WorkspaceError(f"git: {told[-500:] or f'stopped for {ended.stopped}'}")
    return ended.stdout.decode(errors="replace")
