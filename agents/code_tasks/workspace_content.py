"""What a workspace begins with: nothing, uploaded files, or a repository of this machine that the operator allows."""

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from uuid import UUID

from django.conf import settings

from agents.code_tasks.task_input import TaskInput
from agents.errors import WorkspaceError
from agents.sandbox import sandboxed_command
from agents.workspaces.shell_commands import git
from agents.workspaces.workspace import Workspace, reason
from memory.files.file_store import read_content
from memory.models import File

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

SOURCE = "/source"  # where the command that clones finds the repository
FIRST_COMMIT = "git init -q && git add -A && git commit -q --allow-empty -m 'The task begins' && git rev-parse HEAD"
CLONE = f"git clone -q {SOURCE} . && git remote remove origin && git rev-parse HEAD"


async def fill_workspace(ctx: "RunContext", workspace: Workspace, input: TaskInput) -> str:
    """The commit that the task begins at; "" where no sandbox can be made, so that git cannot run."""
    try:
        await asyncio.to_thread(workspace.create)
    except OSError as fault:
        raise WorkspaceError(f"The workspace cannot be made: {reason(fault)}.") from None
    if input.git_url:
        return (await git(workspace, CLONE, source=(find_repository(input.git_url), SOURCE))).strip()
    if input.file_ids:
        files = await ctx.database(partial(_contents, ctx.run.tenant_id, input.file_ids))
        for path, content in files:
            await asyncio.to_thread(workspace.write_file, path, content)
    if sandboxed_command.unavailable_reason():
        return ""
    return (await git(workspace, FIRST_COMMIT)).strip()


def _contents(tenant_id: str, ids: tuple[str, ...]) -> list[tuple[str, bytes]]:
    files = File.objects.for_tenant(tenant_id).in_bulk([UUID(id) for id in ids])
    if missing := [id for id in ids if UUID(id) not in files]:
        raise WorkspaceError(f"The file {missing[0]} is not there any more.")
    return [(file.path, read_content(file)) for file in files.values()]


def find_repository(url: str) -> Path:
    """The folder of a repository that may be cloned; ValueError with the reason why it may not be."""
    parts = urlsplit(url)
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
        raise ValueError("Only repositories of this machine can be cloned: give a path or a file:// URL.")
    folder = Path(unquote(parts.path)).resolve()
    roots = [Path(path).resolve() for path in settings.TASK_GIT_ALLOW]
    if not any(folder == root or root in folder.parents for root in roots):
        raise ValueError("The operator has not allowed this repository; TASK_GIT_ALLOW names the folders that are.")
    if not folder.is_dir():
        raise ValueError("There is no such repository.")
    return folder
