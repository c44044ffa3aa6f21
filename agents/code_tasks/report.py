"""What a task has changed: the diff of its workspace, and the changed files, put among the tenant's files."""

import asyncio
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from agents.code_tasks.shell_commands import git
from agents.code_tasks.workspace import Workspace
from config.errors import DomainError
from memory.files import file_store
from memory.files.file_store import MAX_SIZE, Writer

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

MAX_DIFF_LENGTH = 256 * 1024  # bytes
MAX_FILES, MAX_BYTES = 100, 50 * 1024 * 1024
# Against the beginning, through an index of its own: the agent's index and commits stay as they are.
CHANGED = "export GIT_INDEX_FILE=/tmp/index; git read-tree $1 && { git add -A --ignore-errors || :; } && "
CHANGED += "git diff --cached --no-ext-diff --no-textconv --no-color "


async def report(ctx: "RunContext", space: Workspace, base: str, said: str) -> dict[str, Any]:
    """{said, diff, files: [{path, file_id, size}], notes}; what cannot be told is missing, and a note says why."""
    notes: list[str] = []
    try:
        space.check()
    except DomainError as fault:
        return {"said": said, "diff": None, "files": [], "notes": [fault.message]}
    try:
        diff, names = await _changes(space, base)
    except DomainError as fault:  # the agent may have broken its repository; its files are there all the same
        notes.append(f"There is no diff: {fault.message}")
        diff, names = await _changes(space, "")
    if diff is not None and len(diff) > MAX_DIFF_LENGTH:
        diff = diff[:MAX_DIFF_LENGTH]
        notes.append("The diff is longer; the rest is cut.")
    kept, room = [], MAX_BYTES
    for path in names[:MAX_FILES]:
        saved = await _keep(ctx, space, path, min(room, MAX_SIZE))
        if saved is None:
            notes.append(f"{path} was not kept: it is too large, or no regular file.")
            continue
        room -= saved["size"]
        kept.append(saved)
    if len(names) > MAX_FILES:
        notes.append(f"Of {len(names)} changed files {MAX_FILES} were kept.")
    return {"said": said, "diff": diff, "files": kept, "notes": notes}


async def _changes(space: Workspace, base: str) -> tuple[str | None, list[str]]:
    """(the diff, the files that are new or changed); where git cannot be run, all files and no diff."""
    if not base:
        return None, await asyncio.to_thread(lambda: list(space.files()))
    diff = await git(space, f"{CHANGED} $1", base, output=MAX_DIFF_LENGTH + 1024)
    names = await git(space, f"{CHANGED} --name-only --diff-filter=d -z $1", base, output=MAX_DIFF_LENGTH)
    return diff.replace("\0", "\ufffd"), [name for name in names.split("\0") if name]


async def _keep(ctx: "RunContext", space: Workspace, path: str, most: int) -> dict[str, Any] | None:
    try:
        content = await asyncio.to_thread(space.get, path, most + 1)
    except DomainError:
        return None
    if len(content) > most:
        return None
    run = ctx.run
    writer = Writer(
        run.tenant_id, run.created_by, run.id, run.app_id, f"{run.id}:report:{sha256(path.encode()).hexdigest()}"
    )
    try:
        file = await ctx.database(partial(file_store.create_file, writer, path, content))
    except DomainError:  # a name that our files do not take
        return None
    return {"path": path, "file_id": str(file.pk), "size": file.size}
