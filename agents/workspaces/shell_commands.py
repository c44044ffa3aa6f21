"""Commands in a task's workspace: within the sandbox, or not at all."""

import logging
from dataclasses import replace
from pathlib import Path

from django.conf import settings

from agents.errors import WorkspaceError
from agents.sandbox import sandboxed_command
from agents.sandbox.limits import MIB, Limits, Outcome
from agents.workspaces.workspace import Workspace
from orchestration.program.registry import PRELOAD

log = logging.getLogger(__name__)

# Without --norc bash would take the pipe that it reads from for a remote login's.
SHELL = ("/bin/bash", "--norc", "-c") if Path("/bin/bash").exists() else ("/bin/sh", "-c")
GIT_TIMEOUT_S = 30.0
MAX_ERROR_LENGTH = 500  # characters: the end of what git prints says what is wrong
# Who commits, and whose folders may be looked into: the workspace belongs to another user than git's own folder says.
GIT_SETTINGS = {
    "safe.directory": "*",
    "user.name": "Regente",
    "user.email": "task@regente.invalid",
    "init.defaultBranch": "main",
    "core.pager": "cat",
    "protocol.file.allow": "always",
}
# $1 is the number of settings, then come their names and values, then the script's own arguments.
GIT_SETUP = (
    'export HOME=/tmp; n=$1; shift; while [ "$n" -gt 0 ]; do git config --global "$1" "$2"; shift 2; n=$((n-1)); done; '
)
SourceFolder = tuple[Path, str]  # (a folder that the command may read, where it finds it)


def check_sandbox() -> None:
    """Probe the sandbox as a worker starts, and log when there is none."""
    if reason := sandboxed_command.unavailable_reason():
        log.warning("commands of code tasks will be refused: %s", reason)


PRELOAD.append(check_sandbox)


def task_limits(wall_s: float) -> Limits:
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
    workspace: Workspace, argv: list[str], limits: Limits, stdin: bytes = b"", *read_only: SourceFolder
) -> Outcome:
    """The command's outcome; WorkspaceError where there is no sandbox: it is never run without one."""
    if reason := sandboxed_command.unavailable_reason():
        raise WorkspaceError(f"Commands cannot run on this machine: {reason}.")
    workspace.check()
    try:
        return await sandboxed_command.run(argv, stdin, limits, workspace.working_folder(*read_only))
    except ValueError:
        raise WorkspaceError("A command must not hold NUL characters, or what is no character at all.") from None


async def shell(workspace: Workspace, command: str, wall_s: float, stdin: bytes = b"") -> Outcome:
    """A command line's outcome."""
    return await run(workspace, [*SHELL, command], task_limits(wall_s), stdin)


async def git(
    workspace: Workspace,
    script: str,
    *arguments: str,
    stdin: bytes = b"",
    max_output: int = 0,
    source: SourceFolder | None = None,
) -> str:
    """What a script of git commands prints; its arguments are $1, $2 …; WorkspaceError with git's own words.
    `max_output`: bytes, when more than a command's usual limit may come.
    """
    pairs = [part for name, value in GIT_SETTINGS.items() for part in (name, value)]
    argv = [*SHELL, f"{GIT_SETUP}{script}", "git", str(len(GIT_SETTINGS)), *pairs, *arguments]
    allowance = task_limits(GIT_TIMEOUT_S)
    if max_output:
        allowance = replace(allowance, output=max_output)
    outcome = await run(workspace, argv, allowance, stdin, *([source] if source else []))
    if outcome.returncode != 0:
        text = (outcome.stderr or outcome.stdout).decode(errors="replace").strip()
        raise WorkspaceError(f"git: {text[-MAX_ERROR_LENGTH:] or f'stopped for {outcome.stop_reason}'}")
    return outcome.stdout.decode(errors="replace")
