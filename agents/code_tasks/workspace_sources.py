"""What a workspace begins with: nothing, uploaded files, or a repository of this machine that the operator allows."""

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

from django.conf import settings

from agents.code_tasks.shell_commands import git
from agents.code_tasks.workspace import Workspace, why
from agents.errors import WorkspaceError
from agents.sandbox import sandboxed_command
from memory.files.file_store import read_content
from memory.models import File

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

SOURCE = "/source"
BEGIN = "git init -q && git add -A && git commit -q --allow-empty -m 'The task begins' && git rev-parse HEAD"
CLONE = f"git clone -q {SOURCE} . && git remote remove origin && git rev-parse HEAD"


async def fill(ctx: "RunContext", space: Workspace) -> str:
    """The commit that the task begins at; "" where no sandbox can be made, and so no git be run."""
    asked = ctx.run.input
    try:
        await asyncio.to_thread(space.make)
    except OSError as fault:
        raise WorkspaceError(f"The workspace cannot be made: {why(fault)}.") from None
    if asked.get("git_url"):
        return (await git(space, CLONE, more=(repository(asked["git_url"]), SOURCE))).strip()
    if asked.get("file_ids"):
        files = await ctx.database(partial(_contents, ctx.run.tenant_id, asked["file_ids"]))
        for path, content in files:
            await asyncio.to_thread(space.put, path, content)
    if sandboxed_command.unavailable():
        return ""
    return (await git(space, BEGIN)).strip()


def _contents(tenant_id: str, ids: list[str]) -> list[tuple[str, bytes]]:
    found = File.objects.for_tenant(tenant_id).in_bulk([UUID(id) for id in ids])
    if missing := [id for id in ids if UUID(id) not in found]:
        raise WorkspaceError(f"The file {missing[0]} is not there any more.")
    return [(file.path, read_content(file)) for file in found.values()]


def repository(url: str) -> Path:
    """The folder of a repository that may be cloned; ValueError saying why not."""
    parts = urlsplit(url)
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
        raise ValueError("Only repositories of this machine can be cloned: give a path or a file:// URL.")
    folder = Path(unquote(parts.path)).resolve()
    allowed = [Path(one).resolve() for one in settings.TASK_GIT_ALLOW]
    if not any(folder == one or one in folder.parents for one in allowed):
        raise ValueError("The operator has not allowed this repository; TASK_GIT_ALLOW names the folders that are.")
    if not folder.is_dir():
        raise ValueError("There is no such repository.")
    return folder


def whole(asked: dict[str, Any]) -> dict[str, Any]:
    """A task's input as its run keeps it: without what was left out."""
    return {name: value for name, value in asked.items() if value is not None or name == "context"}
